/**
 * What an MLflow client of certain versions does differently with large files. `from` is the first version that does it,
 * `before` the first that does not. Read in http_artifact_repo.py and mlflow_artifacts_repo.py of mlflow-skinny 2.8.1,
 * 2.9.0, 2.9.2, 2.10.0, 2.10.2, 2.11.0, 3.12.0, 3.15.0 to 3.17.0 and of mlflow 2.22.1, 3.2.0, 3.11.1, 3.14.0 and 3.17.2;
 * 2.10.1 by the report of #11225.
 */
import type { Severity } from '../../../src/check.ts'

/** What the judgement of a row may look at. */
export interface Setting {
  readonly proxied: boolean
  /** Files go in parts that the server signs. */
  readonly inParts: boolean
  /** The server says that it signs parts. */
  readonly offered: boolean
  /** MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD. */
  readonly asked: boolean | undefined
  readonly ignoreTls: boolean
  /** A planned file is large enough for parts, or nothing is planned. */
  readonly large: boolean
  readonly logsModel: boolean
  /** The server is older than 3.0. */
  readonly oldServer: boolean
}

export interface Defect {
  readonly from?: string
  readonly before?: string
  readonly severity: Severity
  readonly applies: (of: Setting) => boolean
  /** Continues "MLflow 2.8.1 …"; without a full stop. */
  readonly does: string
  /** Where it is told: threads of github.com/mlflow/mlflow. */
  readonly threads: readonly string[]
  /** The version range to install, and lines that help without it. */
  readonly install: string
  readonly lines?: readonly string[]
}

const parts = 'MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD'

export const defects: readonly Defect[] = [
  {
    before: '2.9.0',
    severity: 'warning',
    applies: ({ proxied, offered, asked, large }) => proxied && (offered || asked === true) && large,
    does: 'sends every file through the tracking server in one request; the parts that this server signs came with 2.9.0',
    threads: ['#9521'],
    install: '>=3.15.0',
  },
  {
    from: '2.9.0',
    before: '3.15.0',
    severity: 'warning',
    applies: ({ proxied, offered, asked, large }) => proxied && offered && asked === undefined && large,
    does: `sends large files through the tracking server in one request although this server signs parts: before 3.15.0 the client asks for parts only where ${parts} is on`,
    threads: ['#9521'],
    install: '>=3.15.0',
    lines: [`export ${parts}=true`],
  },
  {
    from: '2.9.0',
    before: '2.10.2',
    severity: 'error',
    applies: ({ inParts, large }) => inParts && large,
    does: "leaves the run's own folder out of the path when it sends parts: the file is stored beside the experiments, or refused where no artifact path is given",
    threads: ['#11225', '#11268'],
    install: '>=2.10.2',
    lines: [`export ${parts}=false`],
  },
  {
    from: '2.9.0',
    before: '3.15.0',
    severity: 'warning',
    applies: ({ inParts, ignoreTls, large }) => inParts && ignoreTls && large,
    does: 'checks the certificate of the store when it sends parts, MLFLOW_S3_IGNORE_TLS or not (honoured from 3.15.0): a self-signed one lets small files through and breaks the large ones',
    threads: ['#24207', '#24113'],
    install: '>=3.15.0',
    lines: ['export REQUESTS_CA_BUNDLE=/path/to/the/authority/of/the/store.pem'],
  },
  {
    from: '3.0.0',
    severity: 'error',
    applies: ({ logsModel, oldServer }) => logsModel && oldServer,
    does: 'logs models by calls that a server before 3.0 does not have (404 for logged-models), so that log_model fails before it sends a byte',
    threads: [],
    install: '<3',
  },
]
