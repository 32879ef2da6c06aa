// Elements: found, and made.

export const find = (id) => document.getElementById(id);

/** Makes an element with its properties, data-* in a dataset of their own, and children. */
export function make(tag, {dataset = {}, ...properties} = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  Object.assign(element.dataset, dataset);
  element.append(...children);
  return element;
}
