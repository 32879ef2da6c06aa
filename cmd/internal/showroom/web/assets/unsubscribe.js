// Withdraws a consent with one tap, for who has the link from the e-mail.

import {ask, Refused, trouble} from './api.js';
import {find} from './dom.js';
import {put, speak} from './words.js';

async function withdraw() {
  const button = find('withdraw');
  button.ariaDisabled = 'true';
  try {
    await ask('POST', '/api/consent/withdraw', {body: {token: location.hash.slice(1)}});
    put(find('title'), 'unsubscribe.done');
    put(find('said'), 'unsubscribe.done.text');
    button.hidden = true;
    find('title').focus();
  } catch (error) {
    const unknown = error instanceof Refused && [400, 401, 403, 404, 410].includes(error.status);
    put(find('said'), ...(unknown ? ['unsubscribe.unknown'] : trouble(error)));
  } finally {
    button.ariaDisabled = 'false';
  }
}

find('withdraw').addEventListener('click', withdraw);
addEventListener('hashchange', () => location.reload());
speak();
