const ASSIGNMENT = 'assignment-';

/** Under which name the assignment of a device is fetched, beside the metadata of TUF's roles. */
export function assignmentRole(device: string): string {
  return `${ASSIGNMENT}${device}`;
}
