/** The panel with the settings of a chat. Loaded when it is first opened. */
import type { GenerateOptions } from '../engine/api.ts';
import type { ChatPanel } from './chat-view.ts';
import type { ChatTexts } from './chat-texts.ts';
import { h } from './dom.ts';
import { presetOf, PRESETS, withPreset, type PresetName } from './presets.ts';
import { NUMBER_SETTINGS, readSettings, type ChatSettings } from './settings.ts';

export { richSheet } from './rich-style.ts';

/** Texts in English; `texts.panels` replaces them. */
const LABELS: Readonly<Record<string, string>> = {
  precise: 'Precise',
  balanced: 'Balanced',
  playful: 'Playful',
  systemPrompt: 'System prompt',
  temperature: 'Temperature',
  topP: 'Top-p',
  topK: 'Top-k',
  minP: 'Min-p',
  repetitionPenalty: 'Repetition penalty',
  maxTokens: 'Most tokens per reply',
  seed: 'Seed',
};

const HINTS: Readonly<Record<string, string>> = {
  systemPrompt: 'What the model is told before the conversation. Story models have no place for it.',
  temperature: '0 always takes the likeliest token; more is more varied.',
  topP: 'Draws from the likeliest tokens that together have this probability.',
  topK: 'Draws from so many of the likeliest tokens; 0: all.',
  minP: 'Leaves out tokens less likely than this share of the likeliest.',
  repetitionPenalty: 'Above 1, tokens that were used are less likely.',
  maxTokens: 'A reply ends after so many.',
  seed: 'The same seed and settings give the same reply; empty: another each time.',
};

/** A form over one object of settings, which tells of every change at once. */
export class SettingsPanel implements ChatPanel {
  readonly element: HTMLElement;
  readonly #page: GenerateOptions;
  readonly #texts: ChatTexts;
  readonly #change: (settings: ChatSettings) => void;
  readonly #inputs = new Map<string, HTMLInputElement | HTMLTextAreaElement>();
  readonly #presets = new Map<PresetName, HTMLButtonElement>();
  #settings: ChatSettings;

  /** @param page - what the page gives where nothing is set */
  constructor(
    settings: ChatSettings,
    page: GenerateOptions,
    texts: ChatTexts,
    change: (settings: ChatSettings) => void,
  ) {
    this.#settings = settings;
    this.#page = page;
    this.#texts = texts;
    this.#change = change;
    const presets = (Object.keys(PRESETS) as PresetName[]).map((name) => this.#preset(name));
    const numbers = NUMBER_SETTINGS.map(({ name, least, most, step }) => {
      const attributes = { type: 'number', min: String(least), max: String(most), step: String(step) };
      return this.#field(name, h('input', { ...attributes, inputmode: 'decimal' }));
    });
    this.element = h(
      'section',
      { class: 'panel', part: 'panel', 'aria-label': texts.settings },
      h(
        'div',
        { class: 'presets', role: 'group', 'aria-label': this.#say('Style of the replies') },
        ...presets,
      ),
      h('div', { class: 'settings' }, ...numbers),
      this.#field('systemPrompt', h('textarea', { rows: '2', dir: 'auto' })),
    );
    this.#show();
  }

  focus(): void {
    this.#presets.get(presetOf(this.#settings) ?? 'balanced')?.focus();
  }

  #say(text: string): string {
    return this.#texts.panels[text] ?? text;
  }

  #preset(name: PresetName): HTMLButtonElement {
    const button = h('button', { type: 'button', class: 'quiet' }, this.#say(LABELS[name] ?? name));
    button.addEventListener('click', () => this.#set(withPreset(this.#settings, name)));
    this.#presets.set(name, button);
    return button;
  }

  #field(name: keyof ChatSettings, input: HTMLInputElement | HTMLTextAreaElement): HTMLElement {
    input.id = `setting-${name}`;
    input.setAttribute('aria-describedby', `hint-${name}`);
    if (name !== 'systemPrompt') {
      input.placeholder = String(this.#page[name] ?? this.#say(name === 'seed' ? 'random' : 'model’s own'));
    }
    input.addEventListener('change', () => {
      const { [name]: _, ...others } = this.#settings;
      const given = name === 'systemPrompt' ? input.value : Number(input.value);
      this.#set(readSettings(input.value === '' ? others : { ...others, [name]: given }));
    });
    this.#inputs.set(name, input);
    const label = h('label', { for: input.id }, this.#say(LABELS[name] ?? name));
    const hint = h('p', { class: 'hint', id: `hint-${name}` }, this.#say(HINTS[name] ?? ''));
    return h('div', { class: 'setting' }, label, input, hint);
  }

  #set(settings: ChatSettings): void {
    this.#settings = settings;
    this.#change(settings);
    this.#show();
  }

  #show(): void {
    for (const [name, input] of this.#inputs) {
      input.value = String(this.#settings[name as keyof ChatSettings] ?? '');
    }
    const preset = presetOf(this.#settings);
    for (const [name, button] of this.#presets) button.setAttribute('aria-pressed', String(name === preset));
  }
}
