/** MLflow 3.17 writes each file of a folder store under such a name first, beside its own (store/artifact/local_artifact_repo.py). */
export const isStaged = (path: string): boolean => /(?:^|\/)\.artifact\.uploading\.[^/]*$/.test(path)
