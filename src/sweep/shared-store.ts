import { Trouble } from '../errors.ts'
import type { Shared } from '../stores/below.ts'
import type { Store, UnfinishedUpload } from '../stores/store.ts'

/**
 * One store for many looks: its unfinished uploads are listed once, its clock and its bucket's settings asked once, however
 * many runs and models are looked at through it.
 */
export interface SharedStore extends Required<Shared> {
  readonly store: Store
}

const listOnce = (store: Store) => {
  let listing: Promise<readonly UnfinishedUpload[]> | undefined
  return (signal?: AbortSignal) => {
    listing ??= Array.fromAsync(store.unfinished({ ...(signal && { signal }) })).catch((error: unknown) => {
      // A refusal is the same for every look; what was cut short may work the next time.
      if (!(error instanceof Trouble)) listing = undefined
      throw error
    })
    return listing
  }
}

export const sharedStore = (store: Store): SharedStore => {
  const uploads = listOnce(store)
  let offset: Promise<number | undefined> | undefined
  let settings: ReturnType<NonNullable<Store['bucket']>['settings']> | undefined
  const { bucket } = store
  return {
    store: {
      ...store,
      async now(signal) {
        // Two computers' clocks do not drift apart within a scan.
        offset ??= store.now(signal).then((now) => now && now - Date.now())
        const ahead = await offset.catch((error: unknown) => {
          offset = undefined
          throw error
        })
        return ahead === undefined ? undefined : Date.now() + ahead
      },
      ...(bucket && {
        bucket: {
          ...bucket,
          settings: (signal) => {
            settings ??= bucket.settings(signal).catch((error: unknown) => {
              settings = undefined
              throw error
            })
            return settings
          },
        },
      }),
    },
    async *unfinishedBelow(folder, signal) {
      const prefix = folder === '' ? '' : `${folder}/`
      for (const upload of await uploads(signal)) if (upload.path.startsWith(prefix)) yield upload
    },
  }
}
