// What src/frameworks/react.ts uses of React, so that it can be type-checked where React is not installed. Tests check it
// with React's own types.
export declare function useState<State>(make: () => State): [State, (next: State) => void];
export declare function useRef<Value>(value: Value): { current: Value };
export declare function useMemo<Value>(make: () => Value, inputs: readonly unknown[]): Value;
export declare function useEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
export declare function useSyncExternalStore<Snapshot>(
  subscribe: (changed: () => void) => () => void,
  getSnapshot: () => Snapshot,
  getServerSnapshot: () => Snapshot,
): Snapshot;
