import { Trouble } from '../errors.ts'
import { decoded, withoutSecrets } from '../mlflow/location.ts'

/** Where a `wasb(s)://` or `abfs(s)://` location leads. */
export interface AzureAddress {
  readonly container: string
  readonly account: string
  /** `blob.core.windows.net`, or the one of a sovereign cloud. */
  readonly suffix: string
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string
  /** Scheme, container and host as they were written, for people. */
  readonly root: string
}

/** `container@account.blob.core.windows.net`; for `abfss`, `dfs` in place of `blob`. Other suffixes than Azure's own are those of sovereign clouds. */
const authority = /^([^@/]+)@([^.@/]+)\.(?:blob|dfs)\.((?:core\.[a-z0-9.-]+)|[a-z0-9.-]+)$/i

/** As MLflow reads it (azure_blob_artifact_repo.py and azure_data_lake_artifact_repo.py, 3.17.2). Throws `Trouble` (`usage`). */
export const parseAzureUri = (uri: string): AzureAddress => {
  const [, scheme = '', host = '', path = ''] = /^(wasbs?|abfss?):\/\/([^/?#]*)([^?#]*)/i.exec(uri) ?? []
  const [, container, account, rest] = authority.exec(host) ?? []
  if (container === undefined || account === undefined || rest === undefined) {
    throw new Trouble({
      kind: 'usage',
      what: `cannot open ${withoutSecrets(uri)}`,
      why: 'it names no container and account',
      todo: 'Write wasbs://<container>@<account>.blob.core.windows.net/<path>, or abfss://<container>@<account>.dfs.core.windows.net/<path>',
    })
  }
  // Only the data lake's client decodes its paths.
  const plain = /^abfs/i.test(scheme) ? decoded(path) : path
  const prefix = plain.replace(/^\/+|\/+$/g, '')
  return { container, account, suffix: `blob.${rest}`, prefix, root: `${scheme.toLowerCase()}://${host}` }
}
