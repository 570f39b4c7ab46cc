/** The stages of a layer description that turn scores into routes, with the keys of the format. */

/** A tensor of the layer, or of the request, as a description names it. */
export type Reference = string | object;

/** A step of `transform`. */
export type StepDescription =
  | { readonly kind: 'softmax'; readonly within?: number }
  | { readonly kind: 'logSoftmax' | 'sigmoid' | 'relu' | 'tanh' | 'abs' | 'exp' | 'sqrtSoftplus' }
  | { readonly kind: 'scale'; readonly by: number | Reference }
  | { readonly kind: 'add'; readonly tensor: Reference }
  | { readonly kind: 'mask'; readonly tensor: Reference; readonly by?: 'tokenIds' }
  | { readonly kind: 'standardise'; readonly deviation?: 'sample' | 'population' }
  | { readonly kind: 'sinkhorn'; readonly iterations?: number; readonly temperature: number }
  | { readonly kind: 'mixTokens'; readonly name: string };

/** How many experts `topK` keeps: a number, or by a value of the token. */
export type CountDescription =
  | number
  | {
      readonly from: 'importance' | 'attentionReceived';
      readonly name: string;
      readonly least: number;
      readonly most: number;
    };

/** The rule of `select`. */
export type ChoiceDescription =
  | { readonly kind: 'topK'; readonly k: CountDescription }
  | {
      readonly kind: 'topP';
      readonly p: number;
      readonly rule: 'crossing' | 'within';
      readonly atLeast?: number;
      readonly atMost?: number;
      readonly keepAllAbove?: {
        readonly entropy: 'tsallis' | 'renyi';
        readonly index: number;
        readonly threshold: number;
        readonly relative?: boolean;
      };
    }
  | { readonly kind: 'positive' | 'all' }
  | { readonly kind: 'topOfEach'; readonly groups: number }
  | { readonly kind: 'ranks'; readonly ranks: readonly number[] }
  | { readonly kind: 'ids'; readonly name: string }
  | { readonly kind: 'ids'; readonly tensor: Reference; readonly by: 'tokenIds' }
  | {
      readonly kind: 'expertChoice';
      readonly factor?: number;
      readonly tokensPerExpert?: number;
      readonly round?: 'ceil' | 'floor';
      readonly least?: number;
      readonly forceFirst?: boolean;
      readonly among?: number;
    };

/** A filter of `select.drop`. */
export type DropDescription =
  | {
      readonly kind: 'belowThreshold';
      readonly scale?: number;
      readonly thresholds: readonly number[];
      readonly by?: string;
    }
  | {
      readonly kind: 'belowRatio';
      readonly ratio: number;
      readonly protect?: { readonly name: string; readonly top: number; readonly bottom: number };
    }
  | { readonly kind: 'mask'; readonly layers: readonly unknown[]; readonly atLeast?: number };

/** `select`: the rule and what all rules share. */
export type SelectDescription = ChoiceDescription & {
  readonly by?: 'affinity' | 'logits';
  readonly bias?: Reference;
  readonly groups?: {
    readonly count: number;
    readonly keep: number;
    readonly by: 'max' | 'sumOfTopTwo' | 'score';
  };
  readonly drop?: readonly DropDescription[];
};

/** `weigh`, as far as it concerns weights. */
export interface WeighDescription {
  readonly from?:
    | 'affinity'
    | 'logits'
    | 'exp'
    | 'one'
    | { readonly kind: 'linear'; readonly weight: Reference; readonly activation: string }
    | { readonly kind: 'caller'; readonly name: string };
  readonly normalise?: 'none' | 'sum' | 'softmax';
  readonly over?: 'kept' | 'chosen';
  readonly across?: 'experts' | 'tokens';
  readonly epsilon?: number;
  readonly times?: 'largestAffinity';
  readonly expertScale?: Reference;
  readonly scale?: number;
  readonly add?: number;
}

/** `capacity`. */
export interface CapacityDescription {
  readonly factor?: number;
  readonly tokensPerExpert?: number;
  readonly order?: 'token' | 'rank';
  readonly overflow?: 'drop' | 'reroute';
  readonly fill?: boolean;
}

/** `hooks` of a request. */
export interface HooksDescription {
  readonly bias?: string;
  readonly steer?: {
    readonly experts: readonly number[];
    readonly mode: 'soft' | 'hard';
    readonly strength?: number;
    readonly epsilon?: number;
    readonly deviation?: 'sample' | 'population';
  };
  readonly mask?: readonly number[];
  readonly ranks?: readonly number[];
  readonly replay?: { readonly ids: string; readonly weights?: string };
}

/** A router from its scores on. */
export interface RoutingDescription {
  readonly transform?: readonly StepDescription[];
  readonly select: SelectDescription;
  readonly weigh?: WeighDescription;
  readonly capacity?: CapacityDescription;
  readonly nullExperts?: number;
}
