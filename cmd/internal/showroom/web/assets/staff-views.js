// What the sections of the staff's page show. Nothing here asks the server, and
// all text is set as text.

const TONES = {
  booked: '', waiting: 'busy', ringing: 'busy', connecting: 'busy', live: 'good', done: '', missed: 'bad', cancelled: 'bad',
  queued: 'busy', sent: 'good', outbox: '', failed: 'bad', gone: '',
};

/** A section with rows: it is drawn anew only when what it shows has changed. */
export class Section {
  constructor(id, language) {
    this.root = document.getElementById(id);
    this.language = language;
    this.drawn = '';
  }

  part(name) { return this.root.querySelector(`[data-part=${name}]`); }

  /** Shows the rows that draw makes of each value, or the text for none. */
  show(values, draw, none, count = values.length || '') {
    const state = JSON.stringify([this.language.tag, values, none, count]);
    if (state === this.drawn) return;
    this.drawn = state;
    this.part('rows').replaceChildren(...values.map((value) => draw(value)));
    this.part('empty').textContent = values.length ? '' : none;
    const counter = this.part('count');
    if (counter) counter.textContent = count;
  }

  /** Shows a text in place of rows. */
  say(text) { this.show([], undefined, text); }

  /** Says so when there is nothing better to show than that something failed. */
  fail() {
    if (!this.part('rows').childElementCount) this.say(this.language.say('broken'));
  }

  clear() {
    this.drawn = '';
    this.part('rows').replaceChildren();
    this.part('empty').textContent = '';
  }
}

function element(tag, className, text = '') {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function row(...parts) {
  const made = element('li', 'row');
  made.append(...parts.filter(Boolean));
  return made;
}

function state(word, text) {
  const made = element('span', 'state', text);
  made.dataset.tone = TONES[word] ?? '';
  return made;
}

const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);
const joined = (...texts) => texts.filter(Boolean).join(' \u00b7 ');

/** The showroom's name, where the page shows more than one. */
function place(id, showrooms) {
  return showrooms.length > 1 ? showrooms.find((s) => s.id === id)?.title ?? id : '';
}

const zone = (id, showrooms) => showrooms.find((s) => s.id === id)?.time_zone ?? 'UTC';

export function conversation(l, showrooms, c) {
  const viewers = c.viewers === 0 ? l.say('noViewers') : c.viewers === 1 ? l.say('viewer') : l.say('viewers', {n: c.viewers});
  return row(
    element('span', 'main', c.name || l.say(c.kind === 'booked' ? 'booked' : 'now')),
    state(c.state, l.say('state' + capital(c.state))),
    element('span', 'more', joined(
      place(c.showroom, showrooms), c.glasses && l.say('glasses', {name: c.glasses}),
      l.say('since', {time: l.clock(c.since, zone(c.showroom, showrooms))}), viewers)),
    c.network && element('span', 'more' + (c.network === 'good' ? '' : ' problem'), l.say('network' + capital(c.network))),
  );
}

export function appointment(l, showrooms, a) {
  const at = (time) => l.clock(time, zone(a.showroom, showrooms));
  const made = row(
    element('span', 'time', `${at(a.start)} \u2013 ${at(a.end)}`),
    element('span', 'main', a.name),
    state(a.state, l.say('state' + capital(a.state))),
    element('span', 'more', joined(place(a.showroom, showrooms), a.glasses && l.say('glasses', {name: a.glasses}))),
    a.mail_problem && element('span', 'more problem', l.say('mailProblem', {why: a.mail_problem})),
  );
  made.classList.add('timed');
  return made;
}

export function delivery(l, showrooms, d) {
  const when = (time) => l.moment(time, zone(d.showroom, showrooms));
  const why = d.problem && joined(d.problem, d.state === 'queued' && d.next_try && l.say('retry', {n: d.attempts, time: when(d.next_try)}));
  return row(
    element('span', 'main', d.items === 1 ? l.say('item') : l.say('items', {n: d.items})),
    state(d.state, l.say('mail' + capital(d.state))),
    element('span', 'more', joined(d.to && l.say('to', {to: d.to}), when(d.at), place(d.showroom, showrooms))),
    why ? element('span', 'more problem', why) : d.state === 'outbox' && element('span', 'more', l.say('outboxText')),
  );
}

export function rating(l, minimum, s) {
  const {ratings, usage} = s;
  const used = usage && element('span', 'more', l.say('usage', {
    n: usage.conversations, minutes: Math.round(usage.seconds / usage.conversations / 60), photos: usage.photos, clips: usage.clips,
  }));
  if (!ratings) return row(element('span', 'main', s.title), element('span', 'more', l.say('tooFew', {n: minimum})), used);
  const all = ratings.up + ratings.down;
  return row(
    element('span', 'main', s.title),
    element('span', '', l.say('rated', {up: ratings.up, all, percent: l.percent(ratings.up / all)})),
    bar(ratings.up / all),
    used,
  );
}

/** A bar for the eye only: the figures stand beside it. */
function bar(share) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('class', 'share');
  svg.setAttribute('viewBox', '0 0 100 4');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  const rect = document.createElementNS(space, 'rect');
  rect.setAttribute('width', String(100 * share));
  rect.setAttribute('height', '4');
  svg.append(rect);
  return svg;
}

export function session(l, s, revoke) {
  const device = s.device || l.say('unknownDevice');
  const button = element('button', 'quiet', l.say('revoke'));
  button.type = 'button';
  button.setAttribute('aria-label', l.say('revokeOf', {device}));
  button.addEventListener('click', () => revoke(s, button));
  return row(
    element('span', 'main', device),
    button,
    element('span', 'more', joined(s.current && l.say('thisOne'), l.say('begun', {time: l.moment(s.created)}), l.say('used', {time: l.moment(s.used)}), l.say('until', {time: l.moment(s.expires)}))),
  );
}
