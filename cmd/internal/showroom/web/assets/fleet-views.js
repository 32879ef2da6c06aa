// What the fleet's page shows. Nothing here asks the server, and all text is set as
// text.

import {make} from './dom.js';

const TONES = {
  current: 'good', waiting: 'busy', drift: 'bad', failed: 'bad', unmanaged: '',
  running: 'busy', paused: '', stopped: 'bad', done: 'good', superseded: '',
};

/** A word with its colour. */
export function chip(element, word, text) {
  element.textContent = text;
  element.className = 'state';
  element.dataset.tone = TONES[word] ?? '';
  return element;
}

const COUNTS = ['total', 'online', 'current', 'waiting', 'drift', 'failed'];

/** The fleet at a glance: each figure shows only those. */
export function glance(l, counts, chosen, choose) {
  return COUNTS.map((word) => {
    const button = make('button', {type: 'button', dataset: {tone: ['drift', 'failed'].includes(word) && counts[word] ? 'bad' : '', filter: word}},
      make('b', {textContent: counts[word]}), make('span', {textContent: l.say(word)}));
    button.setAttribute('aria-pressed', String(chosen === word));
    button.title = l.say('filter', {word: l.say(word)});
    button.addEventListener('click', () => choose(word));
    return button;
  });
}

const SPACE = 'http://www.w3.org/2000/svg';

/** A bar of parts, each [class, share], for the eye only. */
function bar(parts) {
  const svg = document.createElementNS(SPACE, 'svg');
  svg.setAttribute('viewBox', '0 0 100 4');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  let at = 0;
  for (const [name, share] of parts) {
    const rect = document.createElementNS(SPACE, 'rect');
    rect.setAttribute('class', name);
    rect.setAttribute('x', String(100 * at));
    rect.setAttribute('width', String(100 * share));
    rect.setAttribute('height', '4');
    svg.append(rect);
    at += share;
  }
  return svg;
}

export function wave(l, w) {
  const all = Math.max(w.devices, 1);
  return make('li', {},
    make('span', {textContent: l.say('wave', {n: w.percent})}),
    bar([['ok', w.confirmed / all], ['at', w.offered / all], ['no', w.failed / all]]),
    make('span', {className: 'figures', textContent: l.say('figures', w)}));
}

export function audience(a) {
  const parts = [a.fleet, ...Object.entries(a.labels ?? {}).map(([key, value]) => `${key}=${value}`)];
  if (a.devices?.length) parts.push(String(a.devices.length));
  return parts.join(', ');
}

/** The columns of the table; all but the last are orders that the server knows. */
export const COLUMNS = ['name', 'status', 'runs', 'wants', 'state', 'battery', 'version', 'seen', 'why'];

const serial = (n) => (n ? String(n) : '\u2013');

const seen = (l, d) => (d.online ? l.say('nowSeen') : d.last_seen ? l.ago(d.last_seen) : l.say('never'));

const battery = (d) => (d.battery === null ? '\u2013' : `${d.battery} %${d.charging ? ' +' : ''}`);

export function row(l, d, open) {
  const link = make('button', {type: 'button', className: 'link', textContent: d.name});
  link.addEventListener('click', () => open(d.device));
  const head = make('th', {scope: 'row'}, link, make('span', {className: 'labels', textContent: [d.label, ...Object.entries(d.labels).map(([k, v]) => `${k}=${v}`)].filter(Boolean).join(' \u00b7 ')}));
  const cell = (word, text, className = '') => make('td', {className, textContent: text, dataset: {name: l.say(word)}});
  const status = make('td', {}, chip(make('span'), d.status, l.say(d.status)));
  return make('tr', {dataset: {device: d.name}}, head, status,
    cell('runs', serial(d.running.serial)), cell('wants', serial(d.wanted)), cell('state', d.state || '\u2013'),
    cell('battery', battery(d)), cell('version', d.version || '\u2013'), cell('seen', seen(l, d)),
    make('td', {className: 'reason' + (d.drift ? ' bad' : ''), textContent: d.why || d.problems[0] || ''}));
}

/** All that is known of one. */
export function detail(l, d) {
  const list = make('dl');
  const fact = (word, ...values) => list.append(make('dt', {textContent: word}), make('dd', {}, ...values));
  fact(l.say('status'), chip(make('span'), d.status, l.say(d.status)));
  if (d.why) fact(l.say('why'), d.why);
  fact(l.say('runs'), serial(d.running.serial));
  fact(l.say('wants'), serial(d.wanted));
  fact(l.say('state'), d.state || '\u2013');
  fact(l.say('seen'), seen(l, d));
  fact(l.say('battery'), battery(d));
  fact(l.say('model'), [d.model, d.version].filter(Boolean).join(', '));
  fact(l.say('labels'), Object.entries(d.labels).map(([k, v]) => `${k}=${v}`).join(', ') || '\u2013');
  const parts = [list];
  const a = d.attempted;
  if (a) {
    fact(l.say('attempted'), `${l.say('bundle', {n: a.serial})}, ${a.phase}, ${l.moment(a.at)}`);
    if (a.error) fact(a.element, a.error);
    if (a.hint) fact(l.say('hint'), a.hint);
  }
  const text = (word, value) => value && parts.push(make('h3', {textContent: l.say(word)}), make('pre', {textContent: value, tabIndex: 0}));
  text('problems', d.problems.join('\n'));
  text('log', a?.log?.join('\n'));
  text('effective', d.effective);
  return parts;
}

export function bundle(l, b) {
  return make('li', {className: 'row'},
    make('span', {className: 'main', textContent: l.say('bundle', {n: b.serial})}),
    chip(make('span'), b.state, l.say(b.state)),
    make('span', {className: 'more', textContent: `${b.author} \u00b7 ${l.moment(b.created)} \u00b7 ${audience(b.audience)}`}),
    make('span', {className: 'more', textContent: b.reason}),
    b.why ? make('span', {className: b.state === 'stopped' ? 'more problem' : 'more', textContent: b.why}) : '');
}

export function entry(l, e) {
  return make('li', {className: 'row'},
    make('span', {className: 'main', textContent: `${e.action} ${e.object}`}),
    make('span', {className: 'more', textContent: [e.who, l.moment(e.at), e.reason].filter(Boolean).join(' \u00b7 ')}));
}
