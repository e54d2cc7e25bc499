/* A stand-in for libnvidia-ml.so.1 with two accelerators, 200..700 W, 1980 MHz at most. The second one is lost if NVML_STUB_LOST is set. */
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
static unsigned limit[2] = {700000, 700000}, clock_max[2] = {1980, 1980};
static int index_of(void *device) { return (int)((char *)device - (char *)0) - 1; }
static int lost(void *device) { return index_of(device) == 1 && getenv("NVML_STUB_LOST") != NULL; }
int nvmlInitWithFlags(unsigned flags) { (void)flags; return 0; }
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return code == 15 ? "GPU is lost" : code == 2 ? "Invalid Argument" : "Unknown Error"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { *device = (char *)0 + index + 1; return index < 2 ? 0 : 2; }
int nvmlDeviceGetUUID(void *device, char *uuid, unsigned length) { snprintf(uuid, length, "GPU-%d", index_of(device)); return 0; }
int nvmlDeviceGetPowerManagementLimitConstraints(void *device, unsigned *least, unsigned *most) { if (lost(device)) return 15; *least = 200000; *most = 700000; return 0; }
int nvmlDeviceGetPowerManagementLimit(void *device, unsigned *value) { if (lost(device)) return 15; *value = limit[index_of(device)]; return 0; }
int nvmlDeviceSetPowerManagementLimit(void *device, unsigned value) { if (lost(device)) return 15; if (value < 200000 || value > 700000) return 2; limit[index_of(device)] = value; return 0; }
int nvmlDeviceGetPowerUsage(void *device, unsigned *value) { if (lost(device)) return 15; unsigned drawn = 650000u; if (clock_max[index_of(device)] < 1980) drawn = 400000u; *value = drawn < limit[index_of(device)] ? drawn : limit[index_of(device)]; return 0; }
int nvmlDeviceSetGpuLockedClocks(void *device, unsigned least, unsigned most) { (void)least; if (lost(device)) return 15; if (most > 1980) return 2; clock_max[index_of(device)] = most; return 0; }
int nvmlDeviceResetGpuLockedClocks(void *device) { if (lost(device)) return 15; clock_max[index_of(device)] = 1980; return 0; }
