/** The parts of the page by id, each checked once. */
import { ExpertsElement, SlotsElement } from '../src/element/index.ts';

function part<T extends Element>(id: string, type: abstract new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`index.html lacks a ${type.name} with the id ${id}`);
  return element;
}

export type Page = ReturnType<typeof findPage>;

export function findPage() {
  return {
    model: part('model', HTMLSelectElement),
    adapter: part('adapter', HTMLElement),
    other: part('other', HTMLDetailsElement),
    linkForm: part('open-link', HTMLFormElement),
    link: part('link', HTMLInputElement),
    files: part('files', HTMLInputElement),
    story: part('story', HTMLElement),
    stats: part('stats', HTMLElement),
    form: part('tell', HTMLFormElement),
    prompt: part('prompt', HTMLTextAreaElement),
    go: part('go', HTMLButtonElement),
    stop: part('stop', HTMLButtonElement),
    temperature: part('temperature', HTMLInputElement),
    length: part('length', HTMLInputElement),
    seed: part('seed', HTMLInputElement),
    status: part('status', HTMLElement),
    experts: part('experts', ExpertsElement),
    memory: part('memory', HTMLElement),
    streaming: {
      section: part('slots-section', HTMLElement),
      slots: part('slots', SlotsElement),
      firstWord: part('first-word', HTMLElement),
      arrival: part('arrival', HTMLElement),
      field: part('budget', HTMLElement),
      range: part('budget-range', HTMLInputElement),
      size: part('budget-size', HTMLElement),
      meaning: part('budget-meaning', HTMLElement),
      problem: part('budget-problem', HTMLElement),
      hint: part('budget-hint', HTMLElement),
    },
    kept: {
      list: part('kept-list', HTMLElement),
      total: part('kept-total', HTMLElement),
      keep: part('keep', HTMLButtonElement),
      disk: part('kept-disk', HTMLElement),
      note: part('kept-note', HTMLElement),
    },
  };
}
