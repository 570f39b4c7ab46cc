/** Registers the elements, with the worker engine behind `model="..."`. The one module here with a side effect. */
import { createWorkerEngine } from '../worker/open.ts';
import { ChatElement, type ChatElementEvents } from './chat-element.ts';
import { ExpertsElement } from './expert-view.ts';
import type { ExpertsElementEvents, SlotsElementEvents } from './markup.ts';
import { SlotsElement } from './slot-view.ts';

declare global {
  interface HTMLElementTagNameMap {
    'atomoe-chat': ChatElement;
    'atomoe-experts': ExpertsElement;
    'atomoe-slots': SlotsElement;
  }
  interface HTMLElementEventMap extends ChatElementEvents, ExpertsElementEvents, SlotsElementEvents {}
}

ChatElement.openEngine ??= (options) => createWorkerEngine(options);

if ('customElements' in globalThis) {
  if (!customElements.get('atomoe-chat')) customElements.define('atomoe-chat', ChatElement);
  if (!customElements.get('atomoe-experts')) customElements.define('atomoe-experts', ExpertsElement);
  if (!customElements.get('atomoe-slots')) customElements.define('atomoe-slots', SlotsElement);
}
