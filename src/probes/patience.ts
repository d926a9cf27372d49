/** When to give up: after the time for one phase, in milliseconds, or when the caller says so. */
export const limits = (options: { readonly timeoutMs: number; readonly signal?: AbortSignal }): AbortSignal[] => [
  AbortSignal.timeout(options.timeoutMs),
  ...(options.signal ? [options.signal] : []),
]
