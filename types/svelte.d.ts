/** The elements in Svelte's markup: `import type {} from 'atomoe/element/svelte'`. */
import type { HTMLAttributes } from 'svelte/elements';
import type { ElementTypes, Listeners } from '../dist/types/element/index.d.ts';

type Props<Element extends EventTarget, Attributes, Events> = Omit<
  HTMLAttributes<Element>,
  keyof Attributes
> &
  Attributes &
  Listeners<Events>;

type Elements = {
  [Tag in keyof ElementTypes]: Props<
    ElementTypes[Tag]['element'],
    ElementTypes[Tag]['attributes'],
    ElementTypes[Tag]['events']
  >;
};

declare module 'svelte/elements' {
  interface SvelteHTMLElements extends Elements {}
}
