/** Registers the elements, with the worker engine behind `model="..."`. The one module here with a side effect. */
import { createWorkerEngine } from '../worker/open.ts';
import { ChatElement, type ChatElementEvents } from './chat-element.ts';
import { ExpertsElement } from './expert-view.ts';
import { MemoryElement } from './memory-element.ts';
import type { ExpertsElementEvents, SlotsElementEvents } from './markup.ts';
import { SlotsElement } from './slot-view.ts';

declare global {
  interface HTMLElementTagNameMap {
    'atomoe-chat': ChatElement;
    'atomoe-experts': ExpertsElement;
    'atomoe-memory': MemoryElement;
    'atomoe-slots': SlotsElement;
  }
  interface HTMLElementEventMap extends ChatElementEvents, ExpertsElementEvents, SlotsElementEvents {}
}

ChatElement.openEngine ??= (options) => createWorkerEngine(options);

if ('customElements' in globalThis) {
  const elements = {
    'atomoe-chat': ChatElement,
    'atomoe-experts': ExpertsElement,
    'atomoe-memory': MemoryElement,
    'atomoe-slots': SlotsElement,
  };
  for (const [name, element] of Object.entries(elements))
    if (!customElements.get(name)) customElements.define(name, element);
}
