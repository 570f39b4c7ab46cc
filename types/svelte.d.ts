/** The elements in Svelte's markup: `import type {} from 'atomoe/element/svelte'`. */
import type { HTMLAttributes } from 'svelte/elements';
import type {
  ChatAttributes,
  ChatElement,
  ChatElementEvents,
  ExpertsElement,
  ExpertsElementEvents,
  Listeners,
  SlotsAttributes,
  SlotsElement,
  SlotsElementEvents,
} from '../dist/types/element/index.d.ts';

type Props<Element extends EventTarget, Attributes, Events> = Omit<
  HTMLAttributes<Element>,
  keyof Attributes
> &
  Attributes &
  Listeners<Events>;

declare module 'svelte/elements' {
  interface SvelteHTMLElements {
    'atomoe-chat': Props<ChatElement, ChatAttributes, ChatElementEvents>;
    'atomoe-experts': Props<ExpertsElement, {}, ExpertsElementEvents>;
    'atomoe-slots': Props<SlotsElement, SlotsAttributes, SlotsElementEvents>;
  }
}
