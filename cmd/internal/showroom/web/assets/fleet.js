// The page of the fleet's managers: what runs where, and why. Nothing is signed here:
// it can hold a rollout and let it go on, no more.

import {Backoff} from './backoff.js';
import {find, make} from './dom.js';
import {Door} from './door.js';
import {ask, Refusal} from './staff-api.js';
import {audience, bundle, chip, COLUMNS, detail, entry, glance, row, wave} from './fleet-views.js';
import {Language} from './fleet-words.js';

const EVERY = 3000; // ms between two looks, while the page is to be seen
const PAGE = 50; // rows at once: a table of thousands is none
const ENTRIES = 20; // of the audit

const language = new Language();
const backoff = new Backoff(EVERY, 30_000);

let timer = 0;
let round = 0;
let devices = [];
let overview = null;
let filter = 'total';
let rows = PAGE;
let opened = ''; // the device whose detail is shown
let newest = null; // the rollout that is shown
const drawn = {}; // what each part shows, so that only what changes is drawn anew

// For tests.
const stats = window.brilFleet = {state: 'opening', rounds: 0};

const fleet = (path, options = {}) => ask(options.method ?? 'GET', path, {...options, base: '/api/fleet'});

const door = new Door(language, {
  refuses: (me) => (me.role === 'manager' ? '' : 'managers'),
  async open(me) {
    find('who').textContent = me.name;
    await look();
  },
  close() {
    clearTimeout(timer);
    round++;
    for (const dialog of document.querySelectorAll('dialog')) dialog.close();
  },
  state(word) { stats.state = word; },
  look: () => look(),
  translate() {
    const chosen = find('sort').value;
    introduce();
    find('sort').value = chosen;
    if (door.me) look();
  },
});

async function look() {
  clearTimeout(timer);
  const mine = ++round;
  const {idle} = door;
  try {
    const answers = await Promise.all([fleet('', {idle}), fleet('/devices', {idle}), fleet('/bundles', {idle}), fleet('/audit', {idle}), opened && fleet(`/devices/${opened}`, {idle})]);
    if (mine !== round) return;
    show(...answers);
    door.reached(true);
    backoff.reset();
    timer = setTimeout(again, EVERY);
  } catch (error) {
    if (mine !== round) return;
    if (error instanceof Refusal && error.status === 401) return door.close('ended');
    if (error instanceof Refusal && error.status === 503) door.trouble(language.say('noFleet'));
    else door.reached(false);
    timer = setTimeout(again, backoff.next());
  }
  stats.rounds++;
}

/** A page that nobody sees asks nothing. */
function again() {
  if (door.me && !document.hidden) look();
}

/** Draws a part, when what it shows has changed. */
function draw(part, value, how) {
  const state = JSON.stringify([language.tag, value]);
  if (drawn[part] === state) return;
  drawn[part] = state;
  how();
}

function show(now, {devices: list}, {bundles}, audit, one) {
  overview = now;
  devices = list;
  find('desk-title').textContent = language.say('fleet', {name: now.fleet});
  showGlance();
  showRollout(bundles[0] ?? null);
  showDevices();
  draw('bundles', bundles.slice(0, ENTRIES), () => {
    find('bundles').replaceChildren(...bundles.slice(0, ENTRIES).map((b) => bundle(language, b)));
    find('no-bundles').textContent = bundles.length ? '' : language.say('noBundles');
  });
  const entries = audit.entries.slice(-ENTRIES).reverse();
  draw('audit', [entries, audit.intact], () => {
    find('entries').replaceChildren(...entries.map((e) => entry(language, e)));
    chip(find('intact'), audit.intact ? 'done' : 'stopped', language.say(audit.intact ? 'intact' : 'tampered'));
  });
  find('command').textContent = `showroom fleet push --config fleet.yaml --server ${location.origin} --token-file token --key fleet.key --reason "\u2026" --watch`;
  if (one) showDetail(one);
}

function showGlance() {
  draw('glance', [overview.devices, filter], () => {
    const focused = document.activeElement?.dataset?.filter;
    find('glance').replaceChildren(...glance(language, overview.devices, filter, (word) => {
      filter = filter === word ? 'total' : word;
      rows = PAGE;
      showGlance();
      showDevices();
    }));
    if (focused) find('glance').querySelector(`[data-filter=${focused}]`)?.focus();
  });
}

function showRollout(r) {
  newest = r;
  draw('rollout', r, () => {
    find('rollout-state').hidden = !r;
    find('rollout-text').textContent = r
      ? language.say('rolloutText', {n: r.serial, audience: audience(r.audience), author: r.author, time: language.moment(r.created), reason: r.reason})
      : language.say('noRollout');
    find('rollout-why').textContent = r?.why ?? '';
    find('waves').replaceChildren(...(r?.waves ?? []).map((w) => wave(language, w)));
    if (r) chip(find('rollout-state'), r.state, language.say(r.state));
    find('turn').hidden = !r || !['running', 'paused', 'stopped'].includes(r.state);
    find('turn').textContent = language.say(r?.state === 'running' ? 'pause' : 'resume');
  });
}

/** Whether a device is one of those that are chosen. */
function wanted(d, text) {
  const chosen = filter === 'total' || (filter === 'online' && d.online) || d.status === filter || (filter === 'current' && d.status === 'unmanaged');
  return chosen && (!text || [d.name, d.label, d.why, d.version, d.state, ...Object.entries(d.labels).map(([k, v]) => `${k}=${v}`)].join('\n').toLowerCase().includes(text));
}

function showDevices() {
  const text = find('search').value.trim().toLowerCase();
  const {by} = COLUMNS.find((c) => c.word === find('sort').value) ?? COLUMNS[0];
  const list = devices.filter((d) => wanted(d, text)).sort((a, b) => {
    const [x, y] = [by(a), by(b)];
    return x < y ? -1 : x > y ? 1 : a.name.localeCompare(b.name);
  });
  draw('devices', [list.slice(0, rows), list.length, devices.length], () => {
    const focused = document.activeElement?.closest('tr')?.dataset.device;
    find('rows').replaceChildren(...list.slice(0, rows).map((d) => row(language, d, openDetail)));
    if (focused) find('rows').querySelector(`[data-device="${CSS.escape(focused)}"] .link`)?.focus();
    find('shown').textContent = language.say('shown', {n: list.length, all: devices.length});
    find('empty').textContent = list.length ? '' : language.say(devices.length ? 'none' : 'noDevices');
    find('more').hidden = list.length <= rows;
    find('more').textContent = language.say('more', {n: Math.min(PAGE, list.length - rows)});
  });
}

async function openDetail(device) {
  opened = device;
  delete drawn.detail;
  try {
    showDetail(await fleet(`/devices/${device}`));
    find('detail').showModal();
    find('detail-title').focus();
  } catch (error) {
    opened = '';
    find('said').textContent = door.refused(error);
  }
}

function showDetail(d) {
  draw('detail', d, () => {
    find('detail-title').textContent = d.name;
    find('detail-body').replaceChildren(...detail(language, d));
  });
}

/** Asks why, and pauses the rollout or has it go on. */
function askTurn() {
  const pause = newest.state === 'running';
  find('ask-title').textContent = language.say(pause ? 'pauseTitle' : 'resumeTitle', {n: newest.serial});
  find('yes').textContent = language.say(pause ? 'pause' : 'resume');
  find('ask').dataset.path = `/rollouts/${newest.serial}/${pause ? 'pause' : 'resume'}`;
  find('reason').value = '';
  find('ask-wrong').textContent = '';
  find('ask').showModal();
  find('reason').focus();
}

async function turn(event) {
  event.preventDefault();
  const reason = find('reason').value.trim();
  if (!reason) return void (find('ask-wrong').textContent = language.say('needReason'));
  try {
    await fleet(find('ask').dataset.path, {method: 'POST', body: {reason}});
    find('ask').close();
    find('said').textContent = language.say('told');
    await look();
  } catch (error) {
    find('ask-wrong').textContent = door.refused(error);
  }
}

function introduce() {
  find('sort').replaceChildren(...COLUMNS.filter((c) => c.by).map((c) => new Option(language.say(c.word), c.word)));
  find('head').replaceChildren(...COLUMNS.map((c) => make('th', {scope: 'col', textContent: language.say(c.word)})));
  find('search').placeholder = language.say('search');
}

find('logout').addEventListener('click', async () => {
  try {
    await ask('POST', 'logout');
  } catch (error) {
    if (!(error instanceof Refusal && error.status === 401)) return door.trouble(door.refused(error));
  }
  door.close('left');
});
find('search').addEventListener('input', () => { rows = PAGE; showDevices(); });
find('sort').addEventListener('change', showDevices);
find('more').addEventListener('click', () => { rows += PAGE; showDevices(); });
find('turn').addEventListener('click', askTurn);
find('ask-form').addEventListener('submit', turn);
find('no').addEventListener('click', () => find('ask').close());
find('close').addEventListener('click', () => find('detail').close());
find('detail').addEventListener('close', () => { opened = ''; });
find('copy').addEventListener('click', async () => {
  await navigator.clipboard.writeText(find('command').textContent);
  find('said').textContent = language.say('copied');
});

introduce();
await door.begin();
