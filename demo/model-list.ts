/** The models that may be chosen on this page: its own, those of a link, and those of the visitor's disk. */
import type { LoadOptions, ModelPlan, ModelSource } from '../src/engine/api.ts';
import { readHubModel, type HubName } from '../src/engine/hub.ts';
import type { ChatStore } from '../src/element/index.ts';
import { parseHubName } from '../src/worker/index.ts';
import { HubPicker } from './hub-picker.ts';
import { EMBEDDED, sourceName, type ModelFacts } from './sources.ts';

export interface ModelListHost {
  readonly store: ChatStore;
  readonly select: HTMLSelectElement;
  readonly loadOptions: LoadOptions;
  /** Another model was chosen. */
  onChoose(): void;
  /** A hub is asked which files there are. */
  onAsk(): void;
}

/** A model of the list. */
export interface ListedModel {
  readonly value: string; // of its option
  readonly name: string;
  readonly address: string | undefined; // where it comes over the network from
  readonly facts: ModelFacts | undefined; // undefined: not looked up yet
}

export class ModelList {
  readonly #host: ModelListHost;
  readonly #sources = new Map<string, ModelSource>(); // by the value of their option
  readonly #facts = new Map<string, ModelFacts>(EMBEDDED.map((each) => [each.id, each]));
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
    if (!this.#sources.has(value)) return Promise.resolve();
    this.#host.select.value = value;
    this.#host.onChoose();
    return this.lookUp();
  }

  /** Looks up what the chosen model takes. */
  lookUp(): Promise<void> {
    const { source } = this;
    return source === undefined ? Promise.resolve() : this.#host.store.plan(source, this.#host.loadOptions);
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
    const { family, license, bytes } = plan;
    const licence = license ?? this.picker?.licence ?? this.#facts.get(this.chosen)?.licence;
    const { download: downloadBytes, gpuTotal, least: leastBytes } = bytes;
    const holdBytes = Math.max(gpuTotal, gpuTotal - bytes.experts + bytes.allExperts); // a plan may stream
    this.#facts.set(this.chosen, { family, downloadBytes, holdBytes, leastBytes, licence });
  }

  /** All models, in the order of the list. */
  get all(): readonly ListedModel[] {
    return [...this.#host.select.options].map(({ value, text }) => {
      const source = this.#sources.get(value);
      const facts = this.#facts.get(value);
      const name = EMBEDDED.find(({ id }) => id === value)?.name ?? text;
      return { value, name, address: typeof source === 'string' ? source : undefined, facts };
    });
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
