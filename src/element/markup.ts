/** What JSX and templates may write on the elements; `types/` in the package puts it into React's, Vue's and Svelte's words. */
import type { Engine, GenerateOptions, LoadOptions, MemoryReport, StreamingReport } from '../engine/api.ts';
import type { ChatElement, ChatElementEvents } from './chat-element.ts';
import type { ChatTexts } from './chat-texts.ts';
import type { ContextRule } from './context-rule.ts';
import type { ExpertPick, ExpertsElement } from './expert-view.ts';
import type { MemoryElement } from './memory-element.ts';
import type { ChatRemote } from './remote-chat.ts';
import type { ChatSettings } from './settings.ts';
import type { SlotsElement } from './slot-view.ts';

/** Attributes and properties of `<atomoe-chat>`. */
export interface ChatAttributes {
  model?: string | null | undefined;
  autoload?: boolean | undefined;
  placeholder?: string | null | undefined;
  disabled?: boolean | undefined;
  device?: 'gpu' | 'cpu' | null | undefined;
  tuning?: 'off' | null | undefined;
  features?: string | null | undefined;
  history?: boolean | undefined;
  contextRule?: ContextRule | null | undefined;
  'context-rule'?: ContextRule | null | undefined;
  name?: string | null | undefined;
  settings?: ChatSettings | undefined;
  texts?: Partial<ChatTexts> | undefined;
  engine?: Engine | undefined;
  generateOptions?: GenerateOptions | undefined;
  loadOptions?: LoadOptions | undefined;
  remote?: ChatRemote | undefined;
}

/** Properties of `<atomoe-slots>`; `<atomoe-experts>` has methods only. */
export interface SlotsAttributes {
  talking?: boolean | undefined;
}

/** Properties of `<atomoe-memory>`. */
export interface MemoryAttributes {
  report?: MemoryReport | undefined;
  where?: string | null | undefined;
}

/** Events of `<atomoe-experts>`. */
export interface ExpertsElementEvents {
  'experts-pick': CustomEvent<ExpertPick | null>;
}

/** Events of `<atomoe-slots>`. */
export interface SlotsElementEvents {
  'slots-report': CustomEvent<StreamingReport | null>;
}

/** Every element by its tag: the one list that `types/` maps to each framework's props. */
export interface ElementTypes {
  'atomoe-chat': { element: ChatElement; attributes: ChatAttributes; events: ChatElementEvents };
  'atomoe-experts': { element: ExpertsElement; attributes: object; events: ExpertsElementEvents };
  'atomoe-memory': { element: MemoryElement; attributes: MemoryAttributes; events: object };
  'atomoe-slots': { element: SlotsElement; attributes: SlotsAttributes; events: SlotsElementEvents };
}

/** `onchat-send` and the like: React 19, Preact and Svelte 5 listen to an event by `on` and its name. */
export type Listeners<Events> = {
  [Name in keyof Events & string as `on${Name}`]?: ((event: Events[Name]) => void) | undefined;
};

/** `onChatSend`: what `@chat-send` becomes in Vue. */
export type CamelListeners<Events> = {
  [Name in keyof Events & string as `on${Camel<Name>}`]?: ((event: Events[Name]) => void) | undefined;
};

type Camel<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Capitalize<Head>}${Camel<Tail>}`
  : Capitalize<Name>;
