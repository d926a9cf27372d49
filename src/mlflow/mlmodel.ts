/** What an MLmodel file promises about the folder that it lies in. */
export interface ModelFile {
  readonly modelId?: string
  readonly runId?: string
  readonly mlflowVersion?: string
  readonly flavors: readonly string[]
  /** Paths that must exist below the root, each with the key that names it. `folder` when it may be a folder. */
  readonly refers: readonly {
    readonly path: string
    readonly by: string
    readonly needed: 'loading' | 'environment' | 'example'
  }[]
  /** Referred paths that leave the model's folder: never followed, never sent. */
  readonly refused: readonly { readonly path: string; readonly by: string; readonly why: string }[]
  /** Bytes, of the files that count (facts: all but MLmodel, the environment files and, for pyfunc alone, code/). */
  readonly modelSize?: number
  /** True when `modelSize` leaves `code/` out. */
  readonly codeUncounted: boolean
}
