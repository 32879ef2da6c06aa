// Confirms a consent, or takes it back, for who has the link from the e-mail: whoever
// gave it may have typed another's address. Nothing is asked before a tap, so that
// what scans mails confirms nothing.

import {ask, Refused, trouble} from './api.js';
import {find} from './dom.js';
import {put, speak} from './words.js';

const buttons = [find('confirm'), find('withdraw')];

async function answer(what) {
  for (const button of buttons) button.ariaDisabled = 'true';
  try {
    await ask('POST', `/api/consent/${what}`, {body: {token: location.hash.slice(1)}});
    put(find('title'), `news.${what}.done`);
    put(find('said'), `news.${what}.done.text`);
    find('confirm').hidden = true;
    find('withdraw').hidden = what === 'withdraw';
    find('title').focus();
  } catch (error) {
    put(find('said'), ...said(error));
  } finally {
    for (const button of buttons) button.ariaDisabled = 'false';
  }
}

function said(error) {
  if (!(error instanceof Refused)) return trouble(error);
  if (error.status === 409) return ['news.withdrawn'];
  return [400, 401, 403, 404, 410].includes(error.status) ? ['unsubscribe.unknown'] : trouble(error);
}

for (const button of buttons) button.addEventListener('click', () => answer(button.id));
addEventListener('hashchange', () => location.reload());
speak();
