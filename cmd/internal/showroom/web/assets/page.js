// The customer's page: what to say, and the picture.

import {unlock} from './access.js';
import {Events} from './events.js';
import {Gallery} from './gallery.js';
import {keep, now, plausible, SoundMeter} from './measure.js';
import {Player} from './player.js';
import {TimecodeReader} from './timecode.js';

const WORDS = {
  opening: ['Opening', 'One moment', 'Opening the showroom.'],
  waiting: ['Waiting', 'Waiting for your advisor', 'The picture appears here by itself. You can leave this page open.'],
  connecting: ['Connecting', 'Your advisor is here', 'Connecting the picture and the sound.'],
  live: ['Live', 'Live', 'You see what your advisor sees.'],
  paused: ['Paused', 'Paused by your advisor', 'Nothing is being sent at the moment. It goes on here by itself.'],
  interrupted: ['Interrupted', 'The connection was interrupted', 'Reconnecting by itself. Please stay on this page.'],
  offline: ['Offline', 'No connection to the showroom', 'Trying again by itself. Is this device online?'],
  locked: ['Locked', 'This link is not complete', 'Please open the whole link that your advisor sent you, or ask for a new one.'],
  unsupported: ['Not supported', 'This browser cannot show the picture', 'Please try a current version of Chrome, Edge, Firefox or Safari.'],
};

const SHOWN_EVERY = 250; // ms between two figures of the latency
const SILENCE = 1500; // ms without a picture that count as an interruption
const UNLOCK_EVERY = 4 * 3600e3; // ms; what the access key is exchanged for lasts 12 hours

const find = (id) => document.getElementById(id);
const name = location.pathname.slice(1);
const measuring = new URLSearchParams(location.search).has('measure');
const video = find('picture');
const reader = new TimecodeReader();

// For tests and support: what this page has seen. Times are Unix ms.
const stats = window.brilStats = {
  state: 'opening', server: '', framesDecoded: 0, sessions: 0, width: 0, height: 0,
  openedAt: performance.timeOrigin, announcedAt: 0, connectedAt: 0, firstFrameAt: 0, lastFrameAt: 0,
  latencies: [], // of pictures at the frame callback, in ms
  displayLatencies: [], // and when the display shows them
  soundLatencies: [], lipSync: [], browserLipSync: [], errors: [],
  pc: null,
  media: {listed: false, items: 0, shown: []}, // shown: ids that popped up
};

let player = null;
let meter = null;
let gallery = null;
let server = {state: '', publication: 0, server: ''};
let reached = false; // the server, just now
let shownAt = 0;

function show(state) {
  if (stats.state === state && document.body.dataset.state === state) return;
  const [badge, title, text] = WORDS[state];
  stats.state = document.body.dataset.state = state;
  find('badge').textContent = badge;
  find('title').textContent = title;
  find('text').textContent = text;
  find('retry').hidden = state !== 'locked';
  document.title = state === 'live' ? 'Live \u2013 Bril' : 'Bril';
  find('full').hidden = !('picture' in document.body.dataset) || !canFill();
}

// What is true for the customer follows from what the server says, from the link
// and from the picture itself, in this order.
function update() {
  if (document.hidden || ['locked', 'unsupported'].includes(stats.state)) return;
  const fresh = Date.now() - stats.lastFrameAt < SILENCE;
  if (!reached) return show(fresh ? 'live' : server.state ? 'offline' : 'opening');
  if (server.state === 'live') {
    if (fresh) return show('live');
    return show(stats.firstFrameAt ? 'interrupted' : 'connecting');
  }
  if (WORDS[server.state]) show(server.state);
}

function heard(state) {
  reached = true;
  const restarted = server.server && server.server !== state.server;
  if (state.state === 'live' && server.state !== 'live') stats.announcedAt = Date.now();
  server = state;
  stats.server = state.state;
  if (restarted) player.renew();
  if (state.state === 'live' || state.state === 'paused') player.play();
  else if (state.state === 'waiting') player.rest();
  player.expectFrames(state.state === 'live');
  update();
}

function lock() {
  player?.close();
  gallery?.close();
  show('locked');
}

function attach(stream) {
  stats.sessions++;
  stats.pc = player.pc;
  video.srcObject = stream;
  start();
  if (measuring) {
    meter?.close();
    meter = new SoundMeter(stream, player.pc, stats);
  }
}

function start() {
  video.play().catch((error) => {
    // A browser that saves power may want a tap even for a silent picture.
    if (error.name === 'NotAllowedError') find('sound').hidden = false;
  });
}

function linked(state) {
  if (state === 'connected') stats.connectedAt = Date.now();
  update();
}

// With each picture that is shown.
function frame(_, metadata) {
  const at = now();
  stats.framesDecoded++;
  stats.lastFrameAt = at;
  player.sawFrame();
  if (!stats.firstFrameAt) stats.firstFrameAt = at;
  if (stats.width !== metadata.width || stats.height !== metadata.height) shape(metadata);
  if (!('picture' in document.body.dataset)) appear();
  if (stats.state !== 'live') update();
  if (measuring || at - shownAt > SHOWN_EVERY) clock(at, metadata);
  video.requestVideoFrameCallback(frame);
}

function appear() {
  document.body.dataset.picture = '';
  find('sound').hidden = false;
  find('full').hidden = !canFill();
}

function shape({width, height}) {
  Object.assign(stats, {width, height});
  find('stage').style.setProperty('--shape', (width / height).toFixed(4));
  document.body.toggleAttribute('data-upright', height > width);
}

function clock(at, metadata) {
  const made = reader.read(video);
  const latency = at - made;
  if (made === null || !plausible(latency)) {
    find('latency').hidden = true;
    return;
  }
  if (measuring) {
    keep(stats.latencies, latency);
    const shown = performance.timeOrigin + metadata.expectedDisplayTime;
    keep(stats.displayLatencies, shown - made);
    meter?.picture(shown, shown - made);
  }
  if (at - shownAt > SHOWN_EVERY) {
    shownAt = at;
    find('latency').hidden = false;
    find('latency').textContent = `${Math.round(latency)} ms behind`;
  }
}

function toggleSound() {
  video.muted = !video.muted;
  start();
  find('sound').setAttribute('aria-pressed', String(!video.muted));
  find('sound-label').textContent = video.muted ? 'Turn on sound' : 'Sound is on';
}

function canFill() {
  return Boolean(document.fullscreenEnabled || video.webkitEnterFullscreen);
}

function toggleFull() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (document.fullscreenEnabled) find('stage').requestFullscreen();
  else video.webkitEnterFullscreen(); // iPhone
}

function supported() {
  return 'RTCPeerConnection' in window && 'requestVideoFrameCallback' in HTMLVideoElement.prototype;
}

async function open() {
  show('opening');
  try {
    if (location.hash && !await unlock(name)) return lock();
  } catch {
    setTimeout(open, 1000); // not reached
    return;
  }
  player ??= new Player(`/whep/${name}`, {stream: attach, link: linked, refused: lock});
  gallery ??= new Gallery(name, stats.media);
  new Events(name, {
    connected: () => gallery.connected(),
    state: heard,
    media: (news) => gallery.heard(news),
    offline: () => {
      reached = false;
      gallery.offline();
      update();
    },
    refused: lock,
  });
}

function run() {
  if (!supported()) return show('unsupported');
  find('sound').addEventListener('click', toggleSound);
  find('full').addEventListener('click', toggleFull);
  find('retry').addEventListener('click', () => location.reload());
  addEventListener('hashchange', () => location.reload());
  addEventListener('pagehide', () => player?.close());
  addEventListener('pageshow', (event) => event.persisted && location.reload());
  setInterval(update, 500);
  if (location.hash) setInterval(() => unlock(name).catch(() => {}), UNLOCK_EVERY); // not reached: the next one will do
  video.requestVideoFrameCallback(frame);
  open();
}

run();
