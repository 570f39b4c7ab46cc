/** The elements in Vue's templates and JSX: `import type {} from 'atomoe/element/vue'`. */
import type { HTMLAttributes, ReservedProps } from 'vue';
import type { CamelListeners, ElementTypes } from '../dist/types/element/index.d.ts';

type Props<Attributes, Events> = Omit<HTMLAttributes, keyof Attributes> &
  ReservedProps &
  Attributes &
  CamelListeners<Events>;

type Elements = {
  [Tag in keyof ElementTypes]: Props<ElementTypes[Tag]['attributes'], ElementTypes[Tag]['events']>;
};

type Components = { [Tag in keyof Elements]: new () => { $props: Elements[Tag] } };

declare module 'vue' {
  interface GlobalComponents extends Components {}
}

declare module 'vue/jsx-runtime' {
  namespace JSX {
    interface IntrinsicElements extends Elements {}
  }
}
