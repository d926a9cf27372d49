import { inject } from 'vitest'

/** What one test run shares: one SeaweedFS, one MLflow proxying to it, one MLflow with a folder. */
export interface Shared {
  readonly seaweed: {
    readonly endpoint: string
    readonly accessKey: string
    readonly secretKey: string
    readonly region: string
    readonly env: Record<string, string>
  }
  readonly mlflowS3: { readonly url: string; readonly bucket: string; readonly destination: string }
  readonly mlflowFolder: { readonly url: string; readonly destination: string }
}

declare module 'vitest' {
  interface ProvidedContext {
    lab: Shared
  }
}

/** The shared servers; a test that breaks a server starts its own. */
export function shared(): Shared {
  return inject('lab')
}
