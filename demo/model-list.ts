/** The models that may be chosen on this page: its own, those of a link, and those of the visitor's disk. */
import type { LoadOptions, ModelPlan, ModelSource } from '../src/engine/api.ts';
import { readHubModel, type HubName } from '../src/engine/hub.ts';
import type { ChatStore } from '../src/element/index.ts';
import { parseHubName } from '../src/worker/index.ts';
import { HubPicker } from './hub-picker.ts';
import { EMBEDDED, sourceName } from './sources.ts';

export interface ModelListHost {
  readonly store: ChatStore;
  readonly select: HTMLSelectElement;
  readonly loadOptions: LoadOptions;
  /** Another model was chosen. */
  onChoose(): void;
  /** A hub is asked which files there are. */
  onAsk(): void;
}

export class ModelList {
  readonly #host: ModelListHost;
  readonly #sources = new Map<string, ModelSource>(); // by the value of their option
  readonly #pickers = new Map<string, HubPicker>(); // of models of the hub, likewise

  constructor(host: ModelListHost) {
    this.#host = host;
    host.select.addEventListener('change', () => void this.choose(host.select.value));
  }

  get chosen(): string {
    return this.#host.select.value;
  }

  /** Where the chosen model comes from. */
  get source(): ModelSource | undefined {
    return this.#sources.get(this.chosen);
  }

  /** The table of files of the chosen model, where it is one of a hub. */
  get picker(): HubPicker | undefined {
    return this.#pickers.get(this.chosen);
  }

  get isFromNetwork(): boolean {
    return typeof this.source === 'string';
  }

  /** Whether the chosen model is one of this page's. */
  get isEmbedded(): boolean {
    return EMBEDDED.some(({ id }) => id === this.chosen);
  }

  has(value: string): boolean {
    return this.#sources.has(value);
  }

  /** Adds a model, once per name. */
  add(value: string, name: string, source: ModelSource): void {
    const { select } = this.#host;
    this.#sources.set(value, source);
    const known = [...select.options].find((each) => each.value === value);
    if (known) known.text = name;
    else select.add(new Option(name, value));
  }

  /** Chooses a model of the list: what it takes is looked up. */
  choose(value: string): Promise<void> {
    const source = this.#sources.get(value);
    if (source === undefined) return Promise.resolve();
    this.#host.select.value = value;
    this.#host.onChoose();
    return this.#host.store.plan(source, this.#host.loadOptions);
  }

  /** Adds a model and chooses it. */
  open(source: ModelSource): Promise<void> {
    const hubName = typeof source === 'string' ? parseHubName(source) : undefined;
    if (typeof source === 'string' && hubName && hubName.file === undefined) {
      return this.#openHubModel(source, hubName);
    }
    const name = sourceName(source);
    this.add(name, name, source);
    return this.choose(name);
  }

  /** What a plan says of the chosen model. */
  tell(plan: ModelPlan): void {
    this.picker?.tell(plan);
  }

  /** Asks the hub which files there are. Without an answer the engine finds what is kept, or says what is wrong. */
  async #openHubModel(source: string, name: HubName): Promise<void> {
    const { repo, revision } = name;
    const value = revision === 'main' ? repo : `${repo}@${revision}`;
    this.add(value, value, source);
    this.#host.select.value = value;
    this.#host.store.stop();
    this.#host.onAsk();
    const model = await readHubModel(name).catch(() => undefined);
    if (model && !this.#pickers.has(value)) {
      const picker = new HubPicker(model, (file) => {
        this.#sources.set(value, file);
        void this.choose(value);
      });
      this.#pickers.set(value, picker);
    }
    this.#sources.set(value, this.#pickers.get(value)?.source ?? source);
    if (this.chosen === value) await this.choose(value);
  }
}
