import { isGone, statusTrouble } from '../mlflow/http-trouble.ts'
import type { TrackingServer } from '../mlflow/server.ts'

/**
 * Removes one artifact through the tracking server; one that is not there is no error. Asked once first: over Azure a missing
 * file is a 500, which would otherwise be asked for again and again. Throws `Trouble`.
 */
export const removeThrough = async (
  server: TrackingServer,
  url: string,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const what = `remove ${path}`
  for (const retry of [false, true]) {
    const { response, body } = await server.text('DELETE', url, { what, retry, ...(signal && { signal }) })
    if (response.ok || isGone(response.status, body)) return
    if (retry || response.status < 500) {
      throw statusTrouble(`cannot ${what}`, new URL(server.uri).host, response.status, body)
    }
  }
}
