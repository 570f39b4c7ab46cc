/** The elements in React's JSX: `import type {} from 'atomoe/element/react'`. Listeners are called as React 19 wants them: `onchat-send`. */
import type { DetailedHTMLProps, HTMLAttributes } from 'react';
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

type Props<Element, Attributes, Events> = DetailedHTMLProps<
  Omit<HTMLAttributes<Element>, keyof Attributes> & Attributes & Listeners<Events>,
  Element
>;

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'atomoe-chat': Props<ChatElement, ChatAttributes, ChatElementEvents>;
      'atomoe-experts': Props<ExpertsElement, {}, ExpertsElementEvents>;
      'atomoe-slots': Props<SlotsElement, SlotsAttributes, SlotsElementEvents>;
    }
  }
}
