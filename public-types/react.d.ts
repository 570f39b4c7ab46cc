// The public types of atomoe/react, written by npm run types:snapshot.
// What is not here is in atomoe.d.ts.
export { AtomoeActions, AtomoeOptions, AtomoeView, useAtomoe };

interface AtomoeActions {
    load(model?: ModelSource): Promise<void>;
    send(text: string, options?: GenerateOptions): Promise<boolean>;
    regenerate(id: number, options?: GenerateOptions): Promise<boolean>;
    stop(): void;
    retry(): Promise<void>;
    clear(): void;
}

interface AtomoeOptions {
    readonly model: ModelSource;
    readonly autoload?: boolean;
    readonly device?: DeviceKind;
    readonly threads?: number;
    readonly tuning?: 'auto' | 'off';
    readonly loadOptions?: LoadOptions;
    readonly generateOptions?: GenerateOptions;
    readonly systemPrompt?: string;
    readonly contextRule?: ContextRule;
    readonly openEngine?: () => Promise<Engine>;
}

interface AtomoeView {
    readonly status: ChatState['kind'];
    readonly progress: ProgressText | undefined;
    readonly isReady: boolean;
    readonly messages: readonly Message[];
    readonly text: string;
    readonly error: Problem | undefined;
    readonly state: ChatState;
}

interface Chat {
    readonly messages: readonly Message[];
    readonly model: ModelInfo | undefined;
    readonly report: ReplyReport | undefined;
    readonly context: ContextUse | undefined;
    readonly leftOut: readonly number[];
}

type ChatPhase = {
    readonly kind: 'idle';
} | {
    readonly kind: 'planning';
    readonly plan: ModelPlan | undefined;
} | {
    readonly kind: 'loading';
    readonly progress: LoadProgress;
    readonly load: LoadStatus;
} | {
    readonly kind: 'ready';
} | {
    readonly kind: 'replying';
    readonly prefill: Prefill | undefined;
} | {
    readonly kind: 'stopped';
} | {
    readonly kind: 'failed';
    readonly problem: Problem;
    readonly retry: 'load' | 'send';
};

type ChatState = Chat & ChatPhase;

type ContextRule = 'drop-oldest' | 'keep-first' | 'refuse';

interface ContextUse {
    readonly usedTokens: number;
    readonly totalTokens: number;
}

interface LoadStatus {
    readonly phase: LoadProgress['kind'];
    readonly doneBytes: number;
    readonly totalBytes: number;
    readonly modelBytes: number;
    readonly doneSteps: number;
    readonly totalSteps: number;
    readonly fraction: number | undefined;
    readonly bytesPerSecond: number | undefined;
    readonly secondsLeft: number | undefined;
}

type Message = ShownTurn;

interface Prefill {
    readonly doneTokens: number;
    readonly totalTokens: number;
}

interface Problem {
    readonly code: ErrorCode | 'unexpected';
    readonly message: string;
    readonly detail: string;
}

interface ProgressText {
    readonly text: string;
    readonly fraction: number | undefined;
}

interface ReplyFigures {
    readonly reason: FinishReason;
    readonly seed: number;
    readonly completionTokens: number;
    readonly contextTokens: number;
    readonly firstTokenMs: number;
    readonly tokensPerSecond: number;
}

interface ReplyReport {
    readonly reason: FinishReason;
    readonly seed: number;
    readonly usage: Usage;
    readonly timings: Timings;
}

interface ShownTurn extends Turn {
    readonly versions: readonly number[];
}

interface Turn {
    readonly id: number;
    readonly parent: number | undefined;
    readonly role: 'user' | 'assistant';
    readonly text: string;
    readonly thoughts: string;
    readonly status: 'complete' | 'streaming' | 'stopped' | 'failed';
    readonly toolCalls?: readonly ChatToolCall[];
    readonly figures?: ReplyFigures;
}

declare function useAtomoe(options: AtomoeOptions): AtomoeView & AtomoeActions;
