/** Registers the elements, with the worker engine behind `model="..."`. The one module here with a side effect. */
import { createWorkerEngine } from '../worker/open.ts';
import { ChatElement, type ChatElementEvents } from './chat-element.ts';
import { ExpertsElement, type ExpertPick } from './expert-view.ts';

declare global {
  interface HTMLElementTagNameMap {
    'atomoe-chat': ChatElement;
    'atomoe-experts': ExpertsElement;
  }
  interface HTMLElementEventMap extends ChatElementEvents {
    'experts-pick': CustomEvent<ExpertPick | null>;
  }
}

ChatElement.openEngine ??= (options) => createWorkerEngine(options);

if ('customElements' in globalThis) {
  if (!customElements.get('atomoe-chat')) customElements.define('atomoe-chat', ChatElement);
  if (!customElements.get('atomoe-experts')) customElements.define('atomoe-experts', ExpertsElement);
}
