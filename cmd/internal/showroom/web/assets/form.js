// A form: checked here, sent by script, its problems beside the fields.

import {Refused, trouble} from './api.js';
import {put} from './words.js';

export class Form {
  /** send(values) may throw; what it does not know, the form says. */
  constructor(element, send) {
    this.element = element;
    this.send = send;
    this.note = element.querySelector('[data-part=problem]');
    this.button = element.querySelector('[type=submit]');
    element.noValidate = true; // the browser's own bubbles are in its language
    element.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    element.addEventListener('input', ({target}) => this.#mark(target, null));
  }

  get values() {
    return Object.fromEntries(this.#fields().map((field) => [field.name, field.type === 'checkbox' ? field.checked : field.value.trim()]));
  }

  reset() {
    this.element.reset();
    this.note.hidden = true;
    for (const field of this.#fields()) this.#mark(field, null);
  }

  /** A problem of the whole form. */
  complain(key, values) {
    put(this.note, key, values);
    this.note.hidden = false;
  }

  #fields() {
    return [...this.element.elements].filter(({name, type}) => name && type !== 'radio');
  }

  async #submit() {
    this.note.hidden = true;
    const wrong = this.#fields().filter((field) => this.#mark(field, problemOf(field)));
    if (wrong.length > 0) return wrong[0].focus();
    if (this.button.ariaDisabled === 'true') return;
    this.button.ariaDisabled = 'true'; // and not disabled: that would lose the focus
    try {
      await this.send(this.values);
    } catch (error) {
      if (!this.#blame(error)) this.complain(...trouble(error));
    } finally {
      this.button.ariaDisabled = 'false';
    }
  }

  // The server names fields: one, or a list.
  #blame(error) {
    if (!(error instanceof Refused) || error.status !== 422) return false;
    const {errors = [error.problem]} = error.problem;
    const blamed = errors.map(({field}) => this.element.elements[field]).filter(Boolean);
    for (const field of blamed) this.#mark(field, `field.${field.name}.wrong`);
    blamed[0]?.focus();
    return blamed.length > 0;
  }

  #mark(field, problem) {
    const note = document.getElementById(field.getAttribute('aria-describedby'));
    if (!note) return false;
    field.ariaInvalid = problem ? 'true' : 'false';
    note.hidden = !problem;
    if (problem) put(note, problem);
    return Boolean(problem);
  }
}

function problemOf({name, value, validity}) {
  if (validity.valid && (value.trim() || !validity.valueMissing)) return null;
  return `field.${name}.${validity.valueMissing ? 'missing' : 'wrong'}`;
}
