// What src/frameworks/vue.ts uses of Vue, so that it can be type-checked where Vue is not installed. Tests check it with
// Vue's own types.
export interface ComputedRef<Value> {
  readonly value: Value;
}
export interface ShallowRef<Value> {
  value: Value;
}
export type MaybeRefOrGetter<Value> = Value | ShallowRef<Value> | (() => Value);
export declare function computed<Value>(get: () => Value): ComputedRef<Value>;
export declare function shallowRef<Value>(value: Value): ShallowRef<Value>;
export declare function toValue<Value>(source: MaybeRefOrGetter<Value>): Value;
export declare function watch(source: () => unknown, changed: () => void): void;
export declare function onMounted(run: () => void): void;
export declare function onScopeDispose(run: () => void): void;
