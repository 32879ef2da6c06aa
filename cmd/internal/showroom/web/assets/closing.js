// After the conversation: a word of thanks or of regret, a thumb, and what was taken.

import {ask, Refused} from './api.js';
import {find} from './dom.js';
import {put} from './words.js';

// How it ended, for who looks back at it.
const REASONS = {
  advisor: 'thanks', customer: 'thanks', customer_left: 'thanks',
  advisor_lost: 'lost', failed: 'lost', unanswered: 'unanswered', declined: 'unanswered', cancelled: 'cancelled',
};

export class Closing {
  #opened = false;

  constructor(cid) {
    this.url = `/api/conversations/${cid}`;
    for (const thumb of ['up', 'down']) find(`thumb-${thumb}`).addEventListener('click', () => this.#rate(thumb));
  }

  /** seen: there was a picture, and so something to rate. */
  open({reason}, seen) {
    if (this.#opened) return;
    this.#opened = true;
    const how = REASONS[reason] ?? 'thanks';
    put(find('closing-title'), `closing.${how}`);
    put(find('closing-text'), `closing.${how}.text`);
    find('again').hidden = how === 'thanks';
    find('rating').hidden = how !== 'thanks' && !seen;
    find('closing-title').focus();
    this.#ask();
  }

  // A page opened anew does not ask again for a thumb that was given.
  async #ask() {
    try {
      if ((await ask('GET', this.url)).rated) this.#thank('closing.rated');
    } catch { // the server will say so when it is rated twice
    }
  }

  async #rate(thumb) {
    try {
      await ask('POST', `${this.url}/rating`, {body: {thumb}});
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 409) return put(find('rated'), 'closing.notRated');
    }
    for (const each of ['up', 'down']) find(`thumb-${each}`).ariaPressed = String(each === thumb);
    this.#thank('closing.rated');
  }

  #thank(key) {
    put(find('rated'), key);
    find('thumbs').hidden = true;
    find('rate-question').hidden = true;
  }
}
