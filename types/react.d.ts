/** The elements in React's JSX: `import type {} from 'atomoe/element/react'`. Listeners are called as React 19 wants them: `onchat-send`. */
import type { DetailedHTMLProps, HTMLAttributes } from 'react';
import type { ElementTypes, Listeners } from '../dist/types/element/index.d.ts';

type Props<Element, Attributes, Events> = DetailedHTMLProps<
  Omit<HTMLAttributes<Element>, keyof Attributes> & Attributes & Listeners<Events>,
  Element
>;

type Elements = {
  [Tag in keyof ElementTypes]: Props<
    ElementTypes[Tag]['element'],
    ElementTypes[Tag]['attributes'],
    ElementTypes[Tag]['events']
  >;
};

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements extends Elements {}
  }
}
