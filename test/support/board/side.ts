/** Rows and columns of the one matrix of the models on the virtual board. */
export const SIDE = 384;
