/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What usb-camera.c has of H.264: an encoder without compression (h264.c), and the extension unit by which it is told how (USB
 * Device Class Definition for Video Devices: H.264 Payload, revision 1.00, chapter 3.3).
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What h264.c, which is made for the kernel, has from there. */
typedef uint8_t u8;
typedef uint32_t u32;
#define DIV_ROUND_UP(a, b) (((a) + (b) - 1) / (b))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define min_t(type, a, b) min((type)(a), (type)(b))
#define fls(value) ((value) ? 32 - __builtin_clz(value) : 0)
/* The JPEGs of usb-camera.c have one of that name. */
#define put_bits h264_put_bits
#include "h264.c"
#undef put_bits

/* Selectors: UVCX_VIDEO_CONFIG_PROBE, UVCX_VIDEO_CONFIG_COMMIT, UVCX_PICTURE_TYPE_CONTROL, UVCX_BITRATE_LAYERS. */
enum { UNIT_PROBE = 1, UNIT_COMMIT = 2, UNIT_PICTURE_TYPE = 9, UNIT_BITRATE = 14 };
#define UNIT_CONFIG 46
/* Where in uvcx_video_config_probe_commit_t. */
enum { CONFIG_INTERVAL = 0, CONFIG_BITRATE = 4, CONFIG_WIDTH = 12, CONFIG_HEIGHT = 14, CONFIG_KEYFRAME_MS = 22 };

/* As such cameras leave the factory. */
#define FACTORY_KEYFRAME_MS 10000
#define FACTORY_BITRATE 1000000
#define LEAST_BITRATE 100000

/* OBEYS what is committed; REFUSES to hear a wish; IGNORES what it has agreed to. */
enum unit_mode { UNIT_OBEYS, UNIT_REFUSES, UNIT_IGNORES };

static unsigned int unit_id;	/* 0: there is none */
static enum unit_mode unit_mode;
static unsigned char unit_probe[UNIT_CONFIG];
/* The control that the data of the next event is for; 0 is none. */
static unsigned int set_unit;

static struct {
	unsigned int keyframe_ms, bitrate;
	int forced;
	unsigned int since_key_ms, frame_num, idr, next;
} encoder = { .keyframe_ms = FACTORY_KEYFRAME_MS, .bitrate = FACTORY_BITRATE };

static void put_little(unsigned char *to, unsigned int value, unsigned int size)
{
	while (size--) {
		*to++ = value & 0xff;
		value >>= 8;
	}
}

static unsigned int little(const unsigned char *from, unsigned int size)
{
	unsigned int value = 0;

	while (size--)
		value = value << 8 | from[size];
	return value;
}

/* `--h264-unit=NUMBER[,refuses|,ignores]`; 0 where the word is another. */
static int unit_option(const char *word)
{
	char mode[16] = "";

	if (sscanf(word, "--h264-unit=%u,%15s", &unit_id, mode) < 1)
		return 0;
	unit_mode = !strcmp(mode, "refuses") ? UNIT_REFUSES : !strcmp(mode, "ignores") ? UNIT_IGNORES : UNIT_OBEYS;
	return 1;
}

static void unit_defaults(unsigned char *to, unsigned int width, unsigned int height)
{
	memset(to, 0, UNIT_CONFIG);
	put_little(to + CONFIG_INTERVAL, 333333, 4);
	put_little(to + CONFIG_BITRATE, FACTORY_BITRATE, 4);
	put_little(to + CONFIG_WIDTH, width, 2);
	put_little(to + CONFIG_HEIGHT, height, 2);
	put_little(to + CONFIG_KEYFRAME_MS, FACTORY_KEYFRAME_MS, 2);
}

static unsigned int unit_length(unsigned int selector)
{
	switch (selector) {
	case UNIT_PROBE:
	case UNIT_COMMIT:
		return UNIT_CONFIG;
	case UNIT_BITRATE:
		return 10;
	case UNIT_PICTURE_TYPE:
		return 4;
	}
	return 0;
}

/* Fills the answer to a request, for a camera of that size; a length below 0 refuses. */
static int answer_unit(unsigned int selector, unsigned int request, unsigned char *to, unsigned int width, unsigned int height)
{
	unsigned int length = unit_length(selector);

	if (!length)
		return -1;
	memset(to, 0, length);
	switch (request) {
	case UVC_SET_CUR:
		if (unit_mode == UNIT_REFUSES)
			return -1;
		set_unit = selector;
		return length;
	case UVC_GET_LEN:
		put_little(to, length, 2);
		return 2;
	case UVC_GET_INFO:
		*to = 3;	/* may be read and set */
		return 1;
	case UVC_GET_CUR:
		if (selector == UNIT_PROBE && little(unit_probe + CONFIG_WIDTH, 2))
			memcpy(to, unit_probe, length);
		else if (length == UNIT_CONFIG)
			unit_defaults(to, width, height);
		return length;
	case UVC_GET_MIN:
	case UVC_GET_MAX:
	case UVC_GET_DEF:
		if (length == UNIT_CONFIG)
			unit_defaults(to, width, height);
		return length;
	case UVC_GET_RES:
		return length;
	}
	return -1;
}

/* The data of what is to be set has come. Says `unit probe`, `unit commit 2000 500000` (ms, bit/s), `unit bitrate 800000` or `unit keyframe`. */
static void take_unit(const unsigned char *data, unsigned int length)
{
	unsigned int selector = set_unit, bitrate;

	set_unit = 0;
	if (length < unit_length(selector))
		return;
	switch (selector) {
	case UNIT_PROBE:
		printf("unit probe\n");
		memcpy(unit_probe, data, UNIT_CONFIG);
		bitrate = little(data + CONFIG_BITRATE, 4);
		put_little(unit_probe + CONFIG_BITRATE, bitrate < LEAST_BITRATE ? LEAST_BITRATE : bitrate, 4);
		break;
	case UNIT_COMMIT:
		printf("unit commit %u %u\n", little(data + CONFIG_KEYFRAME_MS, 2), little(data + CONFIG_BITRATE, 4));
		if (unit_mode == UNIT_IGNORES)
			break;
		encoder.keyframe_ms = little(data + CONFIG_KEYFRAME_MS, 2);
		encoder.bitrate = little(data + CONFIG_BITRATE, 4);
		break;
	case UNIT_BITRATE:
		printf("unit bitrate %u\n", little(data + 6, 4));
		if (unit_mode != UNIT_IGNORES)
			encoder.bitrate = little(data + 6, 4);
		break;
	case UNIT_PICTURE_TYPE:
		printf("unit keyframe\n");
		encoder.forced = unit_mode != UNIT_IGNORES;
		break;
	}
}

static void begin_h264(void)
{
	encoder.forced = 1;
}

/* One picture of 4:2:0 samples; a key picture is copied whole, any other as far as the bitrate goes. `interval`: 100 ns. */
static size_t encode_h264(unsigned char *to, size_t room, unsigned int width, unsigned int height, const unsigned char *samples,
			  unsigned int interval)
{
	const struct h264_sequence sequence = {
		.width = width, .height = height,
		.profile = V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE, .level = V4L2_MPEG_VIDEO_H264_LEVEL_3_1,
		.rate_num = 10000000, .rate_den = interval,
	};
	const struct h264_source source = {
		.luma = samples, .cb = samples + width * height, .cr = samples + width * height * 5 / 4,
		.luma_stride = width, .chroma_stride = width / 2, .chroma_step = 1,
	};
	unsigned int all = h264_macroblocks(&sequence), first, count;
	size_t length;

	encoder.since_key_ms += interval / 10000;
	if (encoder.forced || (encoder.keyframe_ms && encoder.since_key_ms >= encoder.keyframe_ms)) {
		encoder.forced = 0;
		encoder.since_key_ms = 0;
		encoder.frame_num = 0;
		length = h264_write_headers(to, room, &sequence);
		return length + h264_write_key_picture(to + length, room - length, &sequence, &source, encoder.idr++);
	}
	count = (unsigned int)((uint64_t)encoder.bitrate * interval / 10000000 / 8 / H264_MACROBLOCK_BYTES);
	first = encoder.next < all ? encoder.next : 0;
	count = min(count, all - first);
	encoder.next = first + count;
	return h264_write_picture(to, room, &sequence, &source, ++encoder.frame_num, first, count);
}
