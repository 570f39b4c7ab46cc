/** Registers the elements, with the worker engine behind `model="..."`. The one module here with a side effect. */
import type { StreamingReport } from '../engine/api.ts';
import { createWorkerEngine } from '../worker/open.ts';
import { ChatElement, type ChatElementEvents } from './chat-element.ts';
import { ExpertsElement, type ExpertPick } from './expert-view.ts';
import { SlotsElement } from './slot-view.ts';

declare global {
  interface HTMLElementTagNameMap {
    'atomoe-chat': ChatElement;
    'atomoe-experts': ExpertsElement;
    'atomoe-slots': SlotsElement;
  }
  interface HTMLElementEventMap extends ChatElementEvents {
    'experts-pick': CustomEvent<ExpertPick | null>;
    'slots-report': CustomEvent<StreamingReport | null>;
  }
}

ChatElement.openEngine ??= (options) => createWorkerEngine(options);

if ('customElements' in globalThis) {
  if (!customElements.get('atomoe-chat')) customElements.define('atomoe-chat', ChatElement);
  if (!customElements.get('atomoe-experts')) customElements.define('atomoe-experts', ExpertsElement);
  if (!customElements.get('atomoe-slots')) customElements.define('atomoe-slots', SlotsElement);
}
