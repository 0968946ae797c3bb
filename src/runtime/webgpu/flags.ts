/** `GPUBufferUsage` and `GPUMapMode`, which Node has no globals for. */
export const usage = { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, STORAGE: 128, QUERY_RESOLVE: 512 } as const;
export const mapRead = 1;
