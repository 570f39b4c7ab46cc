/** The parts of the page by id, each checked once. */
function part<T extends Element>(id: string, type: abstract new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`routing.html lacks a ${type.name} with the id ${id}`);
  return element;
}

export type Page = ReturnType<typeof findPage>;

/** What belongs to one of the two rules. */
export type Side = Page['rules'][number];

export function findPage() {
  return {
    form: part('compare', HTMLFormElement),
    text: part('text', HTMLTextAreaElement),
    rules: [side('a'), side('b')] as const,
    edits: part('edits', HTMLElement),
    editsList: part('edits-list', HTMLElement),
    length: part('length', HTMLInputElement),
    temperature: part('temperature', HTMLInputElement),
    seed: part('seed', HTMLInputElement),
    go: part('go', HTMLButtonElement),
    stop: part('stop', HTMLButtonElement),
    status: part('status', HTMLElement),
    notice: part('notice', HTMLElement),
    result: part('result', HTMLElement),
    difference: part('difference', HTMLElement),
    token: part('token', HTMLInputElement),
    tokenName: part('token-name', HTMLElement),
    tokenNote: part('token-note', HTMLElement),
    layers: part('layers', HTMLElement),
    layersWords: part('layers-words', HTMLTableSectionElement),
    expertsTitle: part('experts-title', HTMLElement),
    expertsBody: part('experts-body', HTMLTableSectionElement),
    expertsNone: part('experts-none', HTMLElement),
    steering: part('steering', HTMLFieldSetElement),
    strength: part('strength', HTMLInputElement),
    strengthWords: part('strength-words', HTMLElement),
    score: part('score', HTMLButtonElement),
    link: part('link', HTMLInputElement),
    copy: part('copy', HTMLButtonElement),
    copied: part('copied', HTMLElement),
  };
}

function side(name: 'a' | 'b') {
  return {
    select: part(`rule-${name}`, HTMLSelectElement),
    does: part(`does-${name}`, HTMLElement),
    own: part(`own-${name}`, HTMLElement),
    json: part(`json-${name}`, HTMLTextAreaElement),
    problems: part(`problems-${name}`, HTMLElement),
    name: part(`name-${name}`, HTMLElement),
    text: part(`text-${name}`, HTMLElement),
    figures: part(`figures-${name}`, HTMLElement),
  };
}
