// "Send me these": photos and clips by e-mail, and, asked for apart, a consent.

import {ask} from './api.js';
import {find, make} from './dom.js';
import {Form} from './form.js';
import {title} from './album.js';
import {label, language, put} from './words.js';

export class Send {
  #form;

  /** gallery.items and gallery.picture(id) are what there is to choose from. */
  constructor(cid, gallery) {
    this.gallery = gallery;
    this.dialog = find('send');
    this.#form = new Form(find('send-form'), (values) => this.#send(cid, values));
    find('send-open').addEventListener('click', () => this.open());
    for (const button of this.dialog.querySelectorAll('[data-part=close]')) button.addEventListener('click', () => this.dialog.close());
  }

  open() {
    this.#form.reset();
    find('send-form').hidden = false;
    find('sent').hidden = true;
    find('choices').replaceChildren(...this.gallery.items.map((item) => this.#choice(item)));
    this.dialog.showModal();
  }

  #choice(item) {
    const box = make('input', {type: 'checkbox', value: item.id, checked: true});
    label(box, ...title(item));
    const name = make('span');
    put(name, ...title(item));
    return make('label', {className: 'pick'}, box, this.gallery.picture(item.id) ?? '', name);
  }

  async #send(cid, {email, name, marketing}) {
    const items = [...find('choices').querySelectorAll('input:checked')].map(({value}) => value);
    if (items.length === 0) return this.#form.complain('send.nothing');
    const sent = await ask('POST', `/api/conversations/${cid}/send`, {body: {email, name, locale: language(), items, marketing}});
    find('send-form').hidden = true;
    find('sent').hidden = false;
    put(find('sent-text'), 'send.done', {email: sent?.email ?? email});
    find('sent-close').focus();
  }
}
