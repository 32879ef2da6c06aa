// What a machine can tell of a page's accessibility: names, landmarks, headings,
// references, contrast, sizes. Returns the problems, as text.
(async () => {
  const LARGE = 24, LARGE_BOLD = 18.66, TARGET = 44; // CSS pixels
  const problems = [];
  const root = document.querySelector('dialog:modal') ?? document.body;
  const all = (selector) => [...root.querySelectorAll(selector)].filter(isSeen);
  const say = (element, what) => problems.push(`${describe(element)}: ${what}`);

  function isSeen(element) {
    return element.checkVisibility({visibilityProperty: true, contentVisibilityAuto: true}) && !element.closest('[aria-hidden=true]');
  }

  function describe(element) {
    const id = element.id ? `#${element.id}` : element.className && typeof element.className === 'string' ? `.${element.className.split(' ')[0]}` : '';
    return `<${element.localName}${id}> "${(element.textContent ?? '').trim().slice(0, 30)}"`;
  }

  function checkDocument() {
    if (!document.documentElement.lang) problems.push('the document has no language');
    if (!document.title.trim()) problems.push('the document has no title');
    const ids = [...document.querySelectorAll('[id]')].map(({id}) => id);
    for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) problems.push(`two elements have the id ${id}`);
    if (root !== document.body) return;
    if (all('main, [role=main]').length !== 1) {
      const mains = document.querySelectorAll('main').length; // one with display: contents has no box
      if (mains !== 1) problems.push(`${mains} main landmarks`);
    }
    if (all('h1').length !== 1) problems.push(`${all('h1').length} headings of the first level`);
    let level = 0;
    for (const heading of all('h1, h2, h3, h4')) {
      const next = Number(heading.localName[1]);
      if (next > level + 1) say(heading, `comes after a heading of level ${level}`);
      if (!heading.textContent.trim()) say(heading, 'an empty heading');
      level = next;
    }
  }

  function checkNames() {
    for (const element of [...all('a[href], button, input, select, textarea, video, [role=group], [role=radiogroup], [role=img], fieldset'), ...(root.localName === 'dialog' ? [root] : [])]) {
      if (element.computedName !== undefined && !element.computedName.trim()) say(element, 'has no name');
    }
    for (const image of all('img')) if (!image.hasAttribute('alt')) say(image, 'has no alt');
    for (const attribute of ['aria-labelledby', 'aria-describedby', 'for']) {
      for (const element of all(`[${attribute}]`)) {
        for (const id of element.getAttribute(attribute).split(/\s+/)) if (!document.getElementById(id)) say(element, `${attribute} names ${id}, which is not there`);
      }
    }
    for (const element of all('[tabindex]')) if (element.tabIndex > 0) say(element, 'has an order of its own');
  }

  // A target is the label where there is one. Links within a text are exempt.
  function checkTargets() {
    for (const element of all('a[href], button, input, select')) {
      const box = (element.closest('label') ?? element).getBoundingClientRect();
      const inText = element.localName === 'a' && getComputedStyle(element).display === 'inline';
      if (!inText && (box.width < TARGET - 0.5 || box.height < TARGET - 0.5)) say(element, `is ${Math.round(box.width)} by ${Math.round(box.height)} px`);
      if (element.localName === 'button' && element.scrollWidth > element.clientWidth + 1) say(element, 'its text is cut off');
    }
    const {scrollWidth, clientWidth} = document.scrollingElement;
    if (scrollWidth > clientWidth + 1) {
      const widest = all('*').filter((element) => element.getBoundingClientRect().right > clientWidth + 1).at(-1);
      problems.push(`the page is ${scrollWidth} px wide in a window of ${clientWidth}, by ${widest && describe(widest)}`);
    }
  }

  function parse(color) {
    const numbers = color.match(/[\d.]+/g).map(Number);
    if (color.startsWith('color(')) return [...numbers.slice(0, 3).map((part) => part * 255), numbers[3] ?? 1];
    return [numbers[0], numbers[1], numbers[2], numbers[3] ?? 1];
  }

  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);

  function luminance(color) {
    const [r, g, b] = color.map((part) => part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  function backgroundOf(element) {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      layers.push(parse(getComputedStyle(at).backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  }

  function checkContrast() {
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    const seen = new Set();
    while (texts.nextNode()) {
      const element = texts.currentNode.parentElement;
      if (!texts.currentNode.data.trim() || seen.has(element) || !isSeen(element) || element.closest('[aria-disabled=true], :disabled, noscript, title, template')) continue;
      seen.add(element);
      const style = getComputedStyle(element);
      const below = backgroundOf(element);
      const [a, b] = [luminance(over(parse(style.color), below)), luminance(below)];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      const size = parseFloat(style.fontSize);
      const need = size >= LARGE || size >= LARGE_BOLD && style.fontWeight >= 700 ? 3 : 4.5;
      if (ratio < need) say(element, `contrast ${ratio.toFixed(2)}`);
    }
  }

  // What moves goes to its end at once, but for what always does: a text that fades in
  // has no contrast yet.
  async function rest() {
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    for (const one of document.getAnimations()) {
      if (one.effect.getComputedTiming().iterations !== Infinity) one.finish();
    }
  }

  await rest();
  checkDocument();
  checkNames();
  checkTargets();
  checkContrast();
  return problems;
})()
