import type { Trouble } from '../errors.ts'

/** The steps of a multipart upload, in the order that the canary takes them. */
export type CanaryStep = 'create' | 'upload-part' | 'list-parts' | 'list-uploads' | 'abort'

/** What came of each step; a step after a failed `create` is absent. Nothing is completed, so no object is ever written. */
export interface MultipartCanary {
  readonly steps: readonly { readonly step: CanaryStep; readonly ms: number; readonly trouble?: Trouble }[]
  /** True when the upload was created and showed in the list by prefix. */
  readonly listedByPrefix?: boolean
  /** Canary uploads of this user that an earlier, killed run left, and that this one removed. */
  readonly removedStale: number
}
