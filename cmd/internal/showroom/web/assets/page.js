// The page of a conversation: of a call, which is joined and has an end, or of an
// open room (/NAME), which one looks into.

import {unlock} from './access.js';
import {ask} from './api.js';
import {keepAwake} from './awake.js';
import {Closing} from './closing.js';
import {find} from './dom.js';
import {Events} from './events.js';
import {Gallery} from './gallery.js';
import {Counter, judge, START} from './health.js';
import {Lobby, routeOf} from './lobby.js';
import {Microphone} from './microphone.js';
import {Picture} from './picture.js';
import {Player} from './player.js';
import {Report} from './report.js';
import {Send} from './send.js';
import {stateOf} from './state.js';
import {put, speak} from './words.js';

const SILENCE = 1500; // ms without a picture that count as an interruption
const UNLOCK_EVERY = 4 * 3600e3; // ms; what the access key is exchanged for lasts 12 hours
const AGAIN = 1000; // ms between attempts to reach the server at first
const STAYING = ['lobby', 'locked', 'unsupported']; // nothing that happens elsewhere changes these

const route = routeOf(location);

// For tests and support: what this page has seen. Times are Unix ms.
const stats = window.brilStats = {
  state: 'opening', server: '', call: null, network: 'good', framesDecoded: 0, sessions: 0, width: 0, height: 0,
  openedAt: performance.timeOrigin, announcedAt: 0, connectedAt: 0, firstFrameAt: 0, lastFrameAt: 0,
  latencies: [], // of pictures at the frame callback, in ms
  displayLatencies: [], // and when the display shows them
  soundLatencies: [], lipSync: [], browserLipSync: [], errors: [],
  pc: null,
  talk: null, // the session of the microphone
  media: {listed: false, items: 0, shown: []}, // shown: ids that popped up
};

let picture = null;
let player = null;
let gallery = null;
let events = null;
let call = null; // what only a call has, in parts
let lobby = null;
let server = {state: '', publication: 0, server: ''};
let reached = false; // the server, just now
let lostAt = -Infinity; // when it was reached no longer

function show(state) {
  if (document.body.dataset.state === state && stats.state === state) return;
  stats.state = document.body.dataset.state = state;
  for (const part of ['badge', 'title', 'text']) put(find(part), `state.${state}${part === 'title' ? '' : `.${part}`}`);
  put(find('page-title'), state === 'live' ? 'title.live' : 'title.page');
  find('retry').hidden = state !== 'locked';
}

// What is true for the customer follows from what the server says, from the link
// and from the picture itself.
function update() {
  if (document.hidden || STAYING.includes(stats.state)) return;
  const fresh = Date.now() - stats.lastFrameAt < SILENCE;
  show(stateOf({call: stats.call, reached, server: server.state, fresh, seen: stats.firstFrameAt > 0}));
}

function heard(state) {
  reached = true;
  const restarted = server.server && server.server !== state.server;
  if (state.state === 'live' && server.state !== 'live') stats.announcedAt = Date.now();
  server = state;
  stats.server = state.state;
  if (restarted) { // it knows none of the sessions from before
    player.forgotten(lostAt);
    call?.microphone.talk.forgotten(lostAt);
  }
  if (state.state === 'live' || state.state === 'paused') player.play();
  else if (state.state === 'waiting') player.rest();
  player.expectFrames(state.state === 'live' && !isOver());
  update();
}

const isOver = () => stats.call?.state === 'ended';

// The server says what has become of the call.
function turned(state) {
  stats.call = state;
  call.microphone.offer(Microphone.isPossible() && state.state === 'live');
  if (state.state === 'live') {
    call.report.again();
    call.report.tell();
  } else if (state.state !== 'connecting') {
    call.microphone.turnOff();
  }
  if (isOver()) finish();
  update();
}

function finish() {
  player.close();
  picture.drop();
  player.expectFrames(false);
  find('leaving').close();
  gallery.rest();
  keepAwake(false);
  show('ended');
  call.closing.open(stats.call, stats.firstFrameAt > 0);
}

function lock() {
  player?.close();
  call?.microphone.turnOff();
  events?.stop();
  gallery?.close();
  show('locked');
}

function linked(state) {
  if (state === 'connected') stats.connectedAt = Date.now();
  update();
}

function framed() {
  player?.sawFrame();
  if (stats.state !== 'live') update();
}

/** Follows a room, which in a call has the call's ID. */
function follow(name) {
  if (stats.state === 'lobby') show('opening');
  player ??= new Player(`/whep/${name}`, {stream: (stream) => picture.attach(stream, player.pc), link: linked, refused: lock});
  gallery ??= new Gallery(name, stats.media);
  if (route) call ??= partsOf(name);
  events = new Events(name, {
    connected: () => gallery.connected(),
    state: heard,
    call: turned,
    media: (news) => gallery.heard(news),
    offline: () => {
      if (reached) lostAt = performance.now();
      reached = false;
      gallery.offline();
      update();
    },
    refused: lock,
  });
}

function partsOf(cid) {
  const report = new Report(cid);
  const microphone = new Microphone(`/talk/${cid}`, (on) => {
    stats.talk = microphone.talk.pc;
    report.tell({microphone: on});
  });
  new Send(cid, gallery);
  watch(report);
  find('leave').hidden = find('send-open').hidden = false;
  find('leave').addEventListener('click', () => find('leaving').showModal());
  find('stay').addEventListener('click', () => find('leaving').close());
  find('end').addEventListener('click', () => end(cid));
  return {report, microphone, closing: new Closing(cid)};
}

// Over at once for who ends it, whatever the network says.
async function end(cid) {
  turned({state: 'ended', reason: 'customer'});
  await ask('POST', `/api/conversations/${cid}/end`, {keepalive: true}).catch((error) => stats.errors.push(`end: ${error}`));
}

// Once a second, how the network does.
function watch(report) {
  const counter = new Counter();
  let state = START;
  setInterval(async () => {
    if (!player.pc || document.hidden) return;
    const second = await counter.second(player.pc);
    state = judge(state, server.state === 'live' ? second : null);
    stats.network = state.network;
    if (stats.call?.state === 'live') report.tell({network: state.network});
  }, 1000);
}

function joined(cid) {
  lobby.close();
  find('heading').focus();
  keepAwake(true);
  follow(cid);
}

async function open() {
  show('opening');
  try {
    if (route) {
      await lobby.open();
      if (stats.state === 'opening' && !call) show('lobby');
      return;
    }
    const name = location.pathname.slice(1);
    if (location.hash && !await unlock(name)) return lock();
    follow(name);
  } catch {
    setTimeout(open, AGAIN); // not reached
  }
}

// Another network: what stood on the old one is not waited for.
function online() {
  events?.renew();
  if (Date.now() - stats.lastFrameAt > SILENCE && player?.pc && !isOver()) player.renew();
  call?.microphone.talk.renew();
}

function offline() {
  reached = false;
  gallery?.offline();
  update();
}

// A browser may keep a page that was left, and what it has open: to the advisor the
// customer would still be there.
function leave() {
  events?.stop();
  player?.close();
  call?.microphone.turnOff();
}

function run() {
  speak();
  if (!Picture.isPossible()) return show('unsupported');
  picture = new Picture(stats, {frame: framed});
  lobby = route && new Lobby(route, {tapped: () => picture.hear(true), joined, over: follow, locked: lock});
  find('retry').addEventListener('click', () => location.reload());
  addEventListener('hashchange', () => location.reload());
  addEventListener('pagehide', leave);
  addEventListener('pageshow', (event) => event.persisted && location.reload());
  addEventListener('online', online);
  addEventListener('offline', offline);
  document.addEventListener('visibilitychange', () => call && !isOver() && keepAwake(true));
  setInterval(update, 500);
  if (location.hash && route?.code === undefined) setInterval(() => unlock(location.pathname.split('/').pop()).catch(() => {}), UNLOCK_EVERY); // not reached: the next one will do
  open();
}

run();
