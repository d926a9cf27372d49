import { join, safeFolder, safePath } from './path.ts'
import type { OpenUpload, Store, StoredFile, UnfinishedUpload } from './store.ts'

/** What may be shared by all views of one store; it is asked there in place of each view. */
export interface Shared {
  /** Unfinished uploads below the view's folder, by their path from the root of the whole store. */
  unfinishedBelow?(folder: string, signal?: AbortSignal): AsyncIterable<UnfinishedUpload>
}

/**
 * The part of a store that lies below a folder, as a store of its own, over the same connection. Closing it closes nothing:
 * the whole store belongs to whoever opened it.
 */
export const storeBelow = (whole: Store, folder: string, { unfinishedBelow }: Shared = {}): Store => {
  const root = safeFolder(folder)
  if (root === '' && unfinishedBelow === undefined) return { ...whole, close: async () => {} }
  const inWhole = (path: string): string => join(root, safePath(path))
  const isBelow = (path: string): boolean => root === '' || path.startsWith(`${root}/`)
  const inside = <T extends { readonly path: string }>(found: T): T => ({
    ...found,
    path: root === '' ? found.path : found.path.slice(root.length + 1),
  })
  const placed = (upload: UnfinishedUpload): UnfinishedUpload => ({ ...upload, path: inWhole(upload.path) })
  const opened = (upload: OpenUpload): OpenUpload => ({
    ...inside(upload),
    parts: (signal) => upload.parts(signal),
    send: (...of) => upload.send(...of),
    complete: (...of) => upload.complete(...of),
    abort: (signal) => upload.abort(signal),
  })
  const found = (file: StoredFile | undefined) => file && inside(file)
  return {
    ...whole,
    uri: root === '' ? whole.uri : `${whole.uri.replace(/\/+$/, '')}/${uriPath(whole, root)}`,
    async *list({ prefix = '', signal } = {}) {
      const from = join(root, safeFolder(prefix))
      for await (const file of whole.list({ prefix: from, ...(signal && { signal }) })) yield inside(file)
    },
    ...(whole.passedOver && {
      passedOver: () =>
        whole.passedOver?.().flatMap(({ path, because }) => {
          if (isBelow(path)) return [inside({ path, because })]
          // The root of this part lies in it.
          return `${root}/`.startsWith(`${path}/`) ? [{ path: '', because }] : []
        }) ?? [],
    }),
    stat: async (path, signal) => found(await whole.stat(inWhole(path), signal)),
    read: (path, offset, length, signal) => whole.read(inWhole(path), offset, length, signal),
    proof: (path, signal) => whole.proof(inWhole(path), signal),
    remove: (path, signal) => whole.remove(inWhole(path), signal),
    openUpload: async (path, plan, signal) => opened(await whole.openUpload(inWhole(path), plan, signal)),
    async resumeUpload(path, id, plan, signal) {
      const upload = await whole.resumeUpload(inWhole(path), id, plan, signal)
      return upload && opened(upload)
    },
    async *unfinished({ path, signal } = {}) {
      const how = signal && { signal }
      const from =
        path !== undefined
          ? whole.unfinished({ path: inWhole(path), ...how })
          : (unfinishedBelow?.(root, signal) ?? whole.unfinished({ ...how }))
      for await (const upload of from) if (isBelow(upload.path)) yield inside(upload)
    },
    ...(whole.putWhole && {
      putWhole: (path, source, signal) => whole.putWhole?.(inWhole(path), source, signal) ?? Promise.resolve(),
    }),
    abort: (upload, signal) => whole.abort(placed(upload), signal),
    partsOf: (upload, signal) => whole.partsOf(placed(upload), signal),
    close: async () => {},
  }
}

/** A folder's address is a file: URI, percent-encoded; the other addresses are for people, as they are. */
const uriPath = ({ kind }: Store, path: string): string =>
  kind === 'folder' ? path.split('/').map(encodeURIComponent).join('/') : path
