/** The parts of the page by id, each checked once. */
import { ExpertsElement, MemoryElement, SlotsElement } from '../src/element/index.ts';

function part<T extends Element>(id: string, type: abstract new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`index.html lacks a ${type.name} with the id ${id}`);
  return element;
}

export type Page = ReturnType<typeof findPage>;

export function findPage() {
  return { theme: part('theme', HTMLElement), ...modelParts(), ...storyParts(), ...boardParts() };
}

function modelParts() {
  return {
    model: part('model', HTMLSelectElement),
    adapter: part('adapter', HTMLElement),
    other: part('other', HTMLDetailsElement),
    models: part('models', HTMLElement),
    suggestion: part('models-suggestion', HTMLElement),
    linkForm: part('open-link', HTMLFormElement),
    link: part('link', HTMLInputElement),
    files: part('files', HTMLInputElement),
  };
}

function storyParts() {
  return {
    story: part('story', HTMLElement),
    stats: part('stats', HTMLElement),
    planNotes: part('plan-notes', HTMLElement),
    form: part('tell', HTMLFormElement),
    prompt: part('prompt', HTMLTextAreaElement),
    go: part('go', HTMLButtonElement),
    stop: part('stop', HTMLButtonElement),
    promptLabel: part('prompt-label', HTMLLabelElement),
    talk: {
      bar: part('talk-bar', HTMLElement),
      talk: part('talk', HTMLElement),
      story: part('story', HTMLElement),
      status: part('status', HTMLElement),
      prompt: part('prompt', HTMLTextAreaElement),
    },
    hint: part('hint', HTMLElement),
    status: part('status', HTMLElement),
    recorded: {
      story: part('story', HTMLElement),
      line: part('recorded', HTMLElement),
      caption: part('caption', HTMLElement),
      button: part('replay', HTMLButtonElement),
      hint: part('hint', HTMLElement),
    },
  };
}

function boardParts() {
  return {
    board: {
      board: part('board', HTMLElement),
      tabs: part('tabs', HTMLElement),
      grip: part('grip', HTMLButtonElement),
    },
    experts: part('experts', ExpertsElement),
    expertsAll: part('experts-all', HTMLElement),
    expertsFew: part('experts-few', HTMLElement),
    ...memoryParts(),
    report: {
      host: part('report', HTMLElement),
      copy: part('report-copy', HTMLButtonElement),
      note: part('report-note', HTMLElement),
    },
  };
}

function memoryParts() {
  return {
    memory: part('memory', MemoryElement),
    memoryPromise: part('memory-promise', HTMLElement),
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
    check: {
      section: part('check-section', HTMLElement),
      go: part('check', HTMLButtonElement),
      result: part('check-result', HTMLElement),
      share: part('check-share', HTMLElement),
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
