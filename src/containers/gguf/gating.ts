/** How routers score experts, by llama.cpp's numbers of `expert_gating_func`. */
export const SOFTMAX = 1;
export const SIGMOID = 2;
export const SOFTMAX_OF_CHOSEN = 3;
