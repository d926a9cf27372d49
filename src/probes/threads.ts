/** s3transfer's TransferConfig: max_concurrency. */
const s3Threads = 10

/** Parts that the MLflow client sends at once: min(2 × CPUs, 20) where the server signs them (http_artifact_repo.py, 3.17.2), boto3's own ten where it talks to S3 itself. */
export const clientThreads = (
  route: { readonly proxied: boolean; readonly scheme: string },
  processors: number,
): number => (route.proxied ? Math.min(2 * processors, 20) : route.scheme === 's3' ? s3Threads : 1)
