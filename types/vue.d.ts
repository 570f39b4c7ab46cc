/** The elements in Vue's templates and JSX: `import type {} from 'atomoe/element/vue'`. */
import type { HTMLAttributes, ReservedProps } from 'vue';
import type {
  CamelListeners,
  ChatAttributes,
  ChatElementEvents,
  ExpertsElementEvents,
  SlotsAttributes,
  SlotsElementEvents,
} from '../dist/types/element/index.d.ts';

type Props<Attributes, Events> = Omit<HTMLAttributes, keyof Attributes> &
  ReservedProps &
  Attributes &
  CamelListeners<Events>;
type Component<Attributes, Events> = new () => { $props: Props<Attributes, Events> };

declare module 'vue' {
  interface GlobalComponents {
    'atomoe-chat': Component<ChatAttributes, ChatElementEvents>;
    'atomoe-experts': Component<{}, ExpertsElementEvents>;
    'atomoe-slots': Component<SlotsAttributes, SlotsElementEvents>;
  }
}

declare module 'vue/jsx-runtime' {
  namespace JSX {
    interface IntrinsicElements {
      'atomoe-chat': Props<ChatAttributes, ChatElementEvents>;
      'atomoe-experts': Props<{}, ExpertsElementEvents>;
      'atomoe-slots': Props<SlotsAttributes, SlotsElementEvents>;
    }
  }
}
