// The public types of atomoe/ops, written by npm run types:snapshot.
// What is not here is in atomoe.d.ts.
export { addNormedNode, addRmsNormNode, addSharedNode, addWeighedNode, atomicExpertsNode, attentionNode, causalConvNode, deltaScanNode, embeddingNode, expertsNode, gateNode, gateSigmoidNode, gatedNormNode, gluActivationNode, keyBiasNode, lastRowNode, latentKeysNode, latentQueryNode, latentValuesNode, layerNormNode, linearNode, productRouteNode, rmsNormNode, ropeKvNode, sampleNodes, scaleRowsNode, shortConvNode, softCapNode, stateScanNode };

interface AddNormedIo {
    readonly x: Tensor;
    readonly branch: Tensor;
    readonly scale: number;
    readonly gain: Weight;
    readonly factor?: Weight | undefined;
    readonly eps: number;
    readonly y: Tensor;
}

interface AddRmsNormIo {
    readonly x: Tensor;
    readonly branch: Tensor;
    readonly scale: number;
    readonly gain: Weight;
    readonly eps: number;
    readonly sum: Tensor;
    readonly y: Tensor;
}

interface AddSharedIo {
    readonly a: Tensor;
    readonly b: Tensor;
    readonly gate: Tensor | undefined;
    readonly y: Tensor;
    readonly cols: number;
    readonly scale?: number;
}

interface AddWeighedIo {
    readonly x: Tensor;
    readonly branch: Tensor;
    readonly weights: Weight;
    readonly scale: number;
    readonly sum: Tensor;
}

interface AtomicExpertsIo {
    readonly x: Tensor;
    readonly ids: Tensor;
    readonly weights: Tensor;
    readonly y: Tensor;
    readonly bank: number;
    readonly experts: number;
    readonly topK: number;
    readonly hidden: number;
    readonly activation: Activation;
    readonly schedule?: AtomicSchedule | undefined;
}

type AtomicSchedule = 'tokens' | 'experts';

interface AttentionIo extends HeadShape {
    readonly q: Tensor;
    readonly kCache: Tensor;
    readonly vCache: Tensor;
    readonly o: Tensor;
    readonly scale: number;
    readonly window: number;
    readonly chunk?: number | undefined;
    readonly sinks?: Weight | undefined;
    readonly keyBias?: Tensor | undefined;
}

interface CausalConvIo {
    readonly x: Columns;
    readonly weight: Weight;
    readonly bias: Weight | undefined;
    readonly recent: Tensor;
    readonly y: Tensor;
}

interface Columns {
    readonly tensor: Tensor;
    readonly first: number;
}

interface DeltaScanIo {
    readonly gates: Columns;
    readonly mixed: Tensor;
    readonly rates: Weight;
    readonly state: Tensor;
    readonly y: Tensor;
    readonly keyHeads: number;
    readonly keyDim: number;
    readonly heads: number;
    readonly dims: number;
    readonly tiled: boolean;
}

interface EmbeddingIo {
    readonly ids: Tensor;
    readonly table: Weight;
    readonly y: Tensor;
    readonly multiplier: number;
}

interface ExpertsIo {
    readonly x: Tensor;
    readonly ids: Tensor;
    readonly weights: Tensor;
    readonly y: Tensor;
    readonly bank: number;
    readonly experts: number;
    readonly topK: number;
    readonly hidden: number;
    readonly width: number;
    readonly activation: GluActivation;
    readonly gatePart?: 'gate' | 'up';
    readonly biased?: boolean;
}

interface GateSigmoidIo {
    readonly x: Tensor;
    readonly gate: Tensor;
    readonly y: Tensor;
}

interface GatedNormIo {
    readonly x: Tensor;
    readonly gate: Columns;
    readonly gain: Weight;
    readonly y: Tensor;
    readonly groups: number;
    readonly isGateFirst: boolean;
    readonly eps: number;
}

interface GluActivationIo {
    readonly gateUp: Tensor;
    readonly y: Tensor;
    readonly width: number;
    readonly activation: Activation;
}

interface HeadShape {
    readonly heads: number;
    readonly kvHeads: number;
    readonly headDim: number;
}

interface KeyBiasIo {
    readonly x: Tensor;
    readonly slope: Weight;
    readonly cache: Tensor;
    readonly heads: number;
}

interface LastRowIo {
    readonly x: Tensor;
    readonly y: Tensor;
    readonly cols: number;
}

interface LatentKeysIo extends LatentShape {
    readonly x: Tensor;
    readonly gain: Weight;
    readonly angles: Weight;
    readonly cache: Tensor;
    readonly eps: number;
}

interface LatentQueryIo extends LatentShape {
    readonly q: Tensor;
    readonly weight: Weight;
    readonly angles: Weight;
    readonly y: Tensor;
    readonly heads: number;
    readonly nope: number;
}

interface LatentShape {
    readonly rank: number;
    readonly rotary: number;
    readonly style: keyof typeof ROPE_STYLES;
}

interface LatentValuesIo extends Pick<LatentShape, 'rank' | 'rotary'> {
    readonly o: Tensor;
    readonly weight: Weight;
    readonly y: Tensor;
    readonly heads: number;
    readonly dims: number;
}

interface LayerNormIo extends RmsNormIo {
    readonly shift: Weight;
}

interface LinearIo {
    readonly x: Tensor;
    readonly weight: Weight;
    readonly bias?: Weight | undefined;
    readonly y: Tensor;
    readonly multiplier?: number;
}

interface ProductRouteIo {
    readonly scores: Tensor;
    readonly ids: Tensor;
    readonly weights: Tensor;
    readonly sums?: Tensor;
    readonly statistics: {
        readonly eps: number;
        readonly mean: Weight;
        readonly variance: Weight;
    } | undefined;
    readonly grid: number;
    readonly heads?: number;
    readonly topK: number;
    readonly renormalise: boolean;
    readonly split?: 'token' | 'prompt' | undefined;
    readonly logSoftmax?: boolean;
}

declare const ROPE_STYLES: {
    readonly half: 0;
    readonly pair: 1;
};

interface RmsNormIo {
    readonly x: Tensor;
    readonly gain: Weight;
    readonly y: Tensor;
    readonly eps: number;
}

interface RopeKvIo extends HeadShape {
    readonly qkv: Tensor;
    readonly angles: Weight;
    readonly gains: {
        readonly q: Weight;
        readonly k: Weight;
    } | undefined;
    readonly norm: QkNorm;
    readonly rotaryDim: number;
    readonly style: keyof typeof ROPE_STYLES;
    readonly eps: number;
    readonly clip?: number | undefined;
    readonly q: Tensor;
    readonly kCache: Tensor;
    readonly vCache: Tensor;
}

interface SampleIo {
    readonly ids: Tensor;
    readonly logits: Tensor;
    readonly vocab: number;
}

interface ScaleRowsIo {
    readonly x: Tensor;
    readonly factors: Tensor | Weight;
    readonly y: Tensor;
    readonly cols: number;
}

interface ShortConvIo {
    readonly gatesX: Tensor;
    readonly weight: Weight;
    readonly recent: Tensor;
    readonly y: Tensor;
    readonly cols: number;
    readonly taps: number;
}

interface SoftCapIo {
    readonly x: Tensor;
    readonly y: Tensor;
    readonly cap: number;
}

interface StateScanIo {
    readonly dt: Columns;
    readonly mixed: Tensor;
    readonly rates: Weight;
    readonly state: Tensor;
    readonly y: Tensor;
    readonly heads: number;
    readonly dims: number;
    readonly groups: number;
    readonly states: number;
    readonly bounds: readonly [lowest: number, highest: number];
}

declare const addNormedNode: MakeNode<AddNormedIo>;

declare const addRmsNormNode: MakeNode<AddRmsNormIo>;

declare const addSharedNode: MakeNode<AddSharedIo>;

declare const addWeighedNode: MakeNode<AddWeighedIo>;

declare const atomicExpertsNode: MakeNode<AtomicExpertsIo>;

declare const attentionNode: MakeNode<AttentionIo>;

declare const causalConvNode: MakeNode<CausalConvIo>;

declare const deltaScanNode: MakeNode<DeltaScanIo>;

declare const embeddingNode: MakeNode<EmbeddingIo>;

declare const expertsNode: MakeNode<ExpertsIo>;

declare const gateNode: MakeNode<GateIo>;

declare const gateSigmoidNode: MakeNode<GateSigmoidIo>;

declare const gatedNormNode: MakeNode<GatedNormIo>;

declare const gluActivationNode: MakeNode<GluActivationIo>;

declare const keyBiasNode: MakeNode<KeyBiasIo>;

declare const lastRowNode: MakeNode<LastRowIo>;

declare const latentKeysNode: MakeNode<LatentKeysIo>;

declare const latentQueryNode: MakeNode<LatentQueryIo>;

declare const latentValuesNode: MakeNode<LatentValuesIo>;

declare const layerNormNode: MakeNode<LayerNormIo>;

declare const linearNode: MakeNode<LinearIo>;

declare const productRouteNode: MakeNode<ProductRouteIo>;

declare const rmsNormNode: MakeNode<RmsNormIo>;

declare const ropeKvNode: MakeNode<RopeKvIo>;

declare function sampleNodes(builder: GraphBuilder, io: SampleIo): Tensor;

declare const scaleRowsNode: MakeNode<ScaleRowsIo>;

declare const shortConvNode: MakeNode<ShortConvIo>;

declare const softCapNode: MakeNode<SoftCapIo>;

declare const stateScanNode: MakeNode<StateScanIo>;
