// SPDX-License-Identifier: GPL-2.0-only
/*
 * The camera behind the USB gadget (function uvc of Linux): answers the host's class requests (USB Video Class 1.1, chapter 4) and
 * sends pictures.
 *
 *	usb-camera NODE [--h264-unit=NUMBER[,refuses|,ignores]] [--refuse=FORMAT] [--silent=FORMAT] [--crumb=COUNT]
 *		FORMAT:WIDTHxHEIGHT[:INTERVAL,...]...
 *
 * in the order of the gadget's descriptors; FORMAT is yuyv, mjpeg or h264, intervals are in 100 ns, the shortest first. The left half of its
 * pictures is red, the right half is blue, and a white bar goes down from one to the next.
 * It refuses to start in one format, or starts in it and sends nothing; of its JPEGs each COUNTth consists of their first and last
 * marker only: faults of real cameras.
 * While it runs the camera is plugged in; when it ends the camera is gone; when it is stopped (SIGSTOP) the camera is frozen. With
 * SIGUSR1 it sends no more pictures, as a dongle without a signal; with SIGUSR2 it does again.
 * Says in a line each what it is asked for: `start mjpeg 320x240 333333` (100 ns a picture), `stop`, `set brightness 140`; what its
 * H.264 encoder is told, as take_unit() has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <linux/usb/ch9.h>
#include <linux/usb/g_uvc.h>
#include <linux/usb/video.h>
#include <linux/videodev2.h>
#include "usb-camera-h264.h"

/* Of the interfaces in a function: control first, then streaming. Of the units: as the kernel's f_uvc.c numbers them. */
#define STREAMING_INTERFACE 1
#define CAMERA_TERMINAL 1
#define PROCESSING_UNIT 2

#define MAX_FRAMES 16
/* The kernel may give more than were asked for. */
#define BUFFERS 4
#define MAX_BUFFERS 32
/* Three packets of 1024 bytes a microframe: what a camera at high speed asks for at most. */
#define PAYLOAD 3072
/* Bytes of struct uvc_streaming_control since UVC 1.1. */
#define STREAMING_CONTROL 34
#define MAX_INTERVALS 8
/* Of frames for which none are named, in 100 ns: 30, 15 and 5 a second. */
static const unsigned int usual_intervals[] = { 333333, 666666, 2000000 };

/* One frame descriptor. */
struct frame {
	const char *format;
	unsigned int format_index, frame_index, width, height;
	unsigned int intervals[MAX_INTERVALS], interval_count;
};

/* One control; numbers are little-endian of `size` bytes. */
struct control {
	const char *name;
	unsigned char unit, selector, size, info;
	int minimum, maximum, step, preset, value;
};

/* info 3: may be read and set */
static struct control controls[] = {
	{ "auto_exposure", CAMERA_TERMINAL, UVC_CT_AE_MODE_CONTROL, 1, 3, 0, 0, 9, 8, 8 },
	{ "exposure_time_absolute", CAMERA_TERMINAL, UVC_CT_EXPOSURE_TIME_ABSOLUTE_CONTROL, 4, 3, 3, 2047, 1, 250, 250 },
	{ "focus_automatic_continuous", CAMERA_TERMINAL, UVC_CT_FOCUS_AUTO_CONTROL, 1, 3, 0, 1, 1, 1, 1 },
	{ "focus_absolute", CAMERA_TERMINAL, UVC_CT_FOCUS_ABSOLUTE_CONTROL, 2, 3, 0, 250, 5, 0, 0 },
	{ "zoom_absolute", CAMERA_TERMINAL, UVC_CT_ZOOM_ABSOLUTE_CONTROL, 2, 3, 100, 500, 1, 100, 100 },
	{ "brightness", PROCESSING_UNIT, UVC_PU_BRIGHTNESS_CONTROL, 2, 3, 0, 255, 1, 128, 128 },
	{ "white_balance_automatic", PROCESSING_UNIT, UVC_PU_WHITE_BALANCE_TEMPERATURE_AUTO_CONTROL, 1, 3, 0, 1, 1, 1, 1 },
	{ "white_balance_temperature", PROCESSING_UNIT, UVC_PU_WHITE_BALANCE_TEMPERATURE_CONTROL, 2, 3, 2000, 6500, 1, 4000, 4000 },
	{ "power_line_frequency", PROCESSING_UNIT, UVC_PU_POWER_LINE_FREQUENCY_CONTROL, 1, 3, 0, 2, 1, 2, 2 },
};

static int node;
static struct frame frames[MAX_FRAMES];
static unsigned int frame_count;
static struct uvc_streaming_control agreed;
/* The control that the data of the next event is for; 0 is none. */
static struct control *set_control;
static int set_streaming;

static const struct frame *streamed;	/* NULL while nobody watches */
static unsigned char *buffers[MAX_BUFFERS];
static size_t lengths[MAX_BUFFERS];
static unsigned int buffer_count;
static unsigned int unused;	/* so many of them, the last, were not queued yet */
static unsigned int sent;
static struct timespec due;

/* Formats, NULL for none. */
static const char *refused, *silent;
static unsigned int crumb_each;	/* 0: never */
static volatile sig_atomic_t no_signal;

static void fail(const char *what)
{
	fprintf(stderr, "usb-camera: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- pictures ---- */

/* A patch of 16x8 pixels has one colour: Y, Cb, Cr. */
#define PATCH_WIDTH 16
#define PATCH_HEIGHT 8

struct colours {
	unsigned char red[3], blue[3], white[3];
};

/* ITU-R BT.601; JPEG uses the full range. */
static const struct colours video_colours = { { 81, 90, 240 }, { 41, 240, 110 }, { 235, 128, 128 } };
static const struct colours jpeg_colours = { { 76, 85, 255 }, { 29, 255, 107 }, { 255, 128, 128 } };

static const unsigned char *colour(const struct frame *frame, const struct colours *colours, unsigned int column,
				   unsigned int row, unsigned int number)
{
	if (row == number % (frame->height / PATCH_HEIGHT))
		return colours->white;
	return column * PATCH_WIDTH < frame->width / 2 ? colours->red : colours->blue;
}

static size_t paint_yuyv(const struct frame *frame, unsigned char *to, unsigned int number)
{
	unsigned int x, y;

	for (y = 0; y < frame->height; y++)
		for (x = 0; x < frame->width; x += 2) {
			const unsigned char *c = colour(frame, &video_colours, x / PATCH_WIDTH, y / PATCH_HEIGHT, number);

			*to++ = c[0];
			*to++ = c[1];
			*to++ = c[0];
			*to++ = c[2];
		}
	return frame->width * frame->height * 2;
}

static unsigned char *coded;
static unsigned int held_bits, held;

static void put_bits(unsigned int count, unsigned int value)
{
	while (count--) {
		held = held << 1 | (value >> count & 1);
		if (++held_bits < 8)
			continue;
		*coded++ = held;
		if ((held & 0xff) == 0xff)
			*coded++ = 0;
		held_bits = 0;
	}
}

/* A block of one value: its difference from the block before, by table K.3 of ITU-T T.81, and the end of the block. */
static void put_block(int value, int *before)
{
	static const unsigned char lengths[] = { 2, 3, 3, 3, 3, 3, 4, 5, 6, 7 };
	static const unsigned char codes[] = { 0, 2, 3, 4, 5, 6, 0xe, 0x1e, 0x3e, 0x7e };
	int difference = value - *before, size = abs(difference), category = 0;

	for (; size; size >>= 1)
		category++;
	put_bits(lengths[category], codes[category]);
	put_bits(category, difference < 0 ? difference - 1 : difference);
	put_bits(1, 0);
	*before = value;
}

/* JPEG with 4:2:2, as webcams make it. With a quantiser of 8 the first coefficient of a flat block is its value less 128. */
static size_t paint_mjpeg(const struct frame *frame, unsigned char *to, unsigned int number)
{
	static const unsigned char tables[] = {
		0xff, 0xc4, 0, 31, 0x00, 0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
		0xff, 0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	};
	const unsigned char picture[] = {
		0xff, 0xc0, 0, 17, 8, frame->height >> 8, frame->height & 0xff, frame->width >> 8, frame->width & 0xff,
		3, 1, 0x21, 0, 2, 0x11, 0, 3, 0x11, 0,
	};
	static const unsigned char scan[] = { 0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0 };
	static const unsigned char quantisers[] = { 0xff, 0xd8, 0xff, 0xdb, 0, 67, 0 };
	int before[3] = { 0, 0, 0 };
	unsigned int column, row;

	coded = to;
	memcpy(coded, quantisers, sizeof(quantisers));
	coded += sizeof(quantisers);
	memset(coded, 8, 64);
	coded += 64;
	memcpy(coded, picture, sizeof(picture));
	coded += sizeof(picture);
	memcpy(coded, tables, sizeof(tables));
	coded += sizeof(tables);
	memcpy(coded, scan, sizeof(scan));
	coded += sizeof(scan);
	held_bits = 0;
	for (row = 0; row < frame->height / PATCH_HEIGHT; row++)
		for (column = 0; column < frame->width / PATCH_WIDTH; column++) {
			const unsigned char *c = colour(frame, &jpeg_colours, column, row, number);

			put_block(c[0] - 128, &before[0]);
			put_block(c[0] - 128, &before[0]);
			put_block(c[1] - 128, &before[1]);
			put_block(c[2] - 128, &before[2]);
		}
	while (held_bits)
		put_bits(1, 1);
	*coded++ = 0xff;
	*coded++ = 0xd9;
	return coded - to;
}

static size_t paint_h264(const struct frame *frame, unsigned char *to, unsigned int number)
{
	static unsigned char *samples;
	unsigned int x, y, width = frame->width, height = frame->height;
	unsigned char *chroma;

	samples = realloc(samples, width * height * 3 / 2);
	if (!samples)
		fail("realloc");
	chroma = samples + width * height;
	for (y = 0; y < height; y++)
		for (x = 0; x < width; x++) {
			const unsigned char *c = colour(frame, &video_colours, x / PATCH_WIDTH, y / PATCH_HEIGHT, number);

			samples[y * width + x] = c[0];
			chroma[y / 2 * (width / 2) + x / 2] = c[1];
			chroma[width * height / 4 + y / 2 * (width / 2) + x / 2] = c[2];
		}
	return encode_h264(to, width * height * 2, width, height, samples, agreed.dwFrameInterval);
}

/* A JPEG of four bytes: where the picture begins, and where it ends. */
static size_t paint_crumb(unsigned char *to)
{
	static const unsigned char crumb[] = { 0xff, 0xd8, 0xff, 0xd9 };

	memcpy(to, crumb, sizeof(crumb));
	return sizeof(crumb);
}

static void add_intervals(struct frame *frame, const char *text)
{
	frame->interval_count = 0;
	while (text && frame->interval_count < MAX_INTERVALS) {
		frame->intervals[frame->interval_count++] = strtoul(text + 1, NULL, 10);
		text = strchr(text + 1, ',');
	}
	if (frame->interval_count)
		return;
	memcpy(frame->intervals, usual_intervals, sizeof(usual_intervals));
	frame->interval_count = sizeof(usual_intervals) / sizeof(*usual_intervals);
}

static void add_frame(char *text)
{
	struct frame *frame = &frames[frame_count], *before = frame_count ? frame - 1 : NULL;
	char *size = strchr(text, ':');

	if (!size || frame_count == MAX_FRAMES || sscanf(size + 1, "%ux%u", &frame->width, &frame->height) != 2) {
		fprintf(stderr, "usb-camera: cannot read %s\n", text);
		exit(2);
	}
	add_intervals(frame, strchr(size + 1, ':'));
	*size = 0;
	frame->format = text;
	frame->format_index = before ? before->format_index : 1;
	frame->frame_index = before ? before->frame_index + 1 : 1;
	if (before && strcmp(before->format, text)) {
		frame->format_index++;
		frame->frame_index = 1;
	}
	frame_count++;
}

/* ---- streaming ---- */

static const struct frame *frame_of(const struct uvc_streaming_control *control)
{
	unsigned int i;

	for (i = 0; i < frame_count; i++)
		if (frames[i].format_index == control->bFormatIndex && frames[i].frame_index == control->bFrameIndex)
			return &frames[i];
	return &frames[0];
}

/* What the camera makes of what the host would like. */
static void agree(struct uvc_streaming_control *control)
{
	const struct frame *frame = frame_of(control);
	unsigned int i = 0;

	/* Of those that are offered the first that is no shorter than what is wanted. */
	while (i < frame->interval_count - 1 && frame->intervals[i] < control->dwFrameInterval)
		i++;
	control->bmHint = 1;	/* the interval counts */
	control->bFormatIndex = frame->format_index;
	control->bFrameIndex = frame->frame_index;
	control->dwFrameInterval = frame->intervals[i];
	control->dwMaxVideoFrameSize = frame->width * frame->height * 2;
	control->dwMaxPayloadTransferSize = PAYLOAD;
	control->bmFramingInfo = 3;
	control->bPreferedVersion = 1;
	control->bMaxVersion = 1;
}

static int is_yuyv(const struct frame *frame)
{
	return strcmp(frame->format, "yuyv") == 0;
}

static int is_h264(const struct frame *frame)
{
	return strcmp(frame->format, "h264") == 0;
}

static int is_mjpeg(const struct frame *frame)
{
	return strcmp(frame->format, "mjpeg") == 0;
}

static void queue(unsigned int index)
{
	struct v4l2_buffer buffer = { .index = index, .type = V4L2_BUF_TYPE_VIDEO_OUTPUT, .memory = V4L2_MEMORY_MMAP };

	buffer.bytesused = (is_yuyv(streamed) ? paint_yuyv : is_h264(streamed) ? paint_h264 : paint_mjpeg)(streamed, buffers[index], sent++);
	if (crumb_each && is_mjpeg(streamed) && sent % crumb_each == 0)
		buffer.bytesused = paint_crumb(buffers[index]);
	ioctl(node, VIDIOC_QBUF, &buffer);
}

static int sends(const struct frame *frame)
{
	return !no_signal && (!silent || strcmp(frame->format, silent));
}

static void start(void)
{
	int type = V4L2_BUF_TYPE_VIDEO_OUTPUT;
	struct v4l2_format format = { .type = type };
	struct v4l2_requestbuffers request = { .count = BUFFERS, .type = type, .memory = V4L2_MEMORY_MMAP };
	unsigned int i;

	streamed = frame_of(&agreed);
	printf("start %s %ux%u %u\n", streamed->format, streamed->width, streamed->height, agreed.dwFrameInterval);
	format.fmt.pix.width = streamed->width;
	format.fmt.pix.height = streamed->height;
	format.fmt.pix.pixelformat = is_yuyv(streamed) ? V4L2_PIX_FMT_YUYV :
				     is_h264(streamed) ? V4L2_PIX_FMT_H264 : V4L2_PIX_FMT_MJPEG;
	begin_h264();
	format.fmt.pix.sizeimage = streamed->width * streamed->height * 2;
	/* The gadget answers VIDIOC_REQBUFS with a number. */
	if (ioctl(node, VIDIOC_S_FMT, &format) || ioctl(node, VIDIOC_REQBUFS, &request) < 0)
		fail("cannot stream");
	buffer_count = request.count < MAX_BUFFERS ? request.count : MAX_BUFFERS;
	for (i = 0; i < buffer_count; i++) {
		struct v4l2_buffer buffer = { .index = i, .type = type, .memory = V4L2_MEMORY_MMAP };

		if (ioctl(node, VIDIOC_QUERYBUF, &buffer))
			fail("VIDIOC_QUERYBUF");
		lengths[i] = buffer.length;
		buffers[i] = mmap(NULL, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED, node, buffer.m.offset);
		if (buffers[i] == MAP_FAILED)
			fail("mmap");
	}
	for (unused = buffer_count; unused && sends(streamed); unused--)
		queue(buffer_count - unused);
	if (ioctl(node, VIDIOC_STREAMON, &type))
		fail("VIDIOC_STREAMON");
	clock_gettime(CLOCK_MONOTONIC, &due);
}

static void stop(void)
{
	int type = V4L2_BUF_TYPE_VIDEO_OUTPUT;
	struct v4l2_requestbuffers none = { .count = 0, .type = type, .memory = V4L2_MEMORY_MMAP };
	unsigned int i;

	if (!streamed)
		return;
	printf("stop\n");
	ioctl(node, VIDIOC_STREAMOFF, &type);
	for (i = 0; i < buffer_count; i++)
		munmap(buffers[i], lengths[i]);
	ioctl(node, VIDIOC_REQBUFS, &none);
	streamed = NULL;
}

/* Milliseconds until the next picture is due; 0 when it is. */
static int until_due(void)
{
	struct timespec now;
	long long left;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left = (due.tv_sec - now.tv_sec) * 1000000000LL + due.tv_nsec - now.tv_nsec;
	if (left < -1000000000LL)	/* it was frozen: nothing is made up for */
		due = now;
	return left <= 0 ? 0 : left / 1000000 + 1;
}

static void send_picture(void)
{
	struct v4l2_buffer buffer = { .type = V4L2_BUF_TYPE_VIDEO_OUTPUT, .memory = V4L2_MEMORY_MMAP };

	due.tv_nsec += agreed.dwFrameInterval * 100;
	if (due.tv_nsec >= 1000000000) {
		due.tv_nsec -= 1000000000;
		due.tv_sec++;
	}
	if (!sends(streamed))
		return;
	for (; unused; unused--)
		queue(buffer_count - unused);
	if (ioctl(node, VIDIOC_DQBUF, &buffer) == 0)
		queue(buffer.index);
}

/* ---- class requests ---- */

static void put_number(unsigned char *to, int value, unsigned int size)
{
	while (size--) {
		*to++ = value & 0xff;
		value >>= 8;
	}
}

static int number(const unsigned char *from, unsigned int size)
{
	int value = 0;

	while (size--)
		value = value << 8 | from[size];
	return value;
}

static struct control *control_of(unsigned int unit, unsigned int selector)
{
	unsigned int i;

	for (i = 0; i < sizeof(controls) / sizeof(*controls); i++)
		if (controls[i].unit == unit && controls[i].selector == selector)
			return &controls[i];
	return NULL;
}

/* Fills the answer; a length below 0 refuses. */
static void answer_control(struct control *control, unsigned int request, struct uvc_request_data *answer)
{
	answer->length = control->size;
	switch (request) {
	case UVC_SET_CUR:
		set_control = control;
		break;
	case UVC_GET_CUR:
		put_number(answer->data, control->value, control->size);
		break;
	case UVC_GET_MIN:
		put_number(answer->data, control->minimum, control->size);
		break;
	case UVC_GET_MAX:
		put_number(answer->data, control->maximum, control->size);
		break;
	case UVC_GET_RES:
		put_number(answer->data, control->step, control->size);
		break;
	case UVC_GET_DEF:
		put_number(answer->data, control->preset, control->size);
		break;
	case UVC_GET_INFO:
		answer->length = 1;
		answer->data[0] = control->info;
		break;
	case UVC_GET_LEN:
		answer->length = 2;
		put_number(answer->data, control->size, 2);
		break;
	default:
		answer->length = -EL2HLT;
	}
}

static void answer_streaming(const struct usb_ctrlrequest *request, struct uvc_request_data *answer)
{
	struct uvc_streaming_control control = { 0 };
	int length = request->wLength < STREAMING_CONTROL ? request->wLength : STREAMING_CONTROL;

	answer->length = length;
	switch (request->bRequest) {
	case UVC_SET_CUR:
		set_streaming = 1;
		/* What is committed to was agreed on before. */
		if (request->wValue >> 8 == UVC_VS_COMMIT_CONTROL && refused && !strcmp(frame_of(&agreed)->format, refused)) {
			printf("refuse %s\n", refused);
			set_streaming = 0;
			answer->length = -EL2HLT;
		}
		return;
	case UVC_GET_CUR:
		control = agreed;
		break;
	case UVC_GET_MIN:
	case UVC_GET_MAX:
	case UVC_GET_DEF:
		agree(&control);
		break;
	case UVC_GET_RES:
		break;
	case UVC_GET_LEN:
		answer->length = 2;
		put_number(answer->data, STREAMING_CONTROL, 2);
		return;
	case UVC_GET_INFO:
		answer->length = 1;
		answer->data[0] = 3;
		return;
	default:
		answer->length = -EL2HLT;
		return;
	}
	memcpy(answer->data, &control, length);
}

static void setup(const struct usb_ctrlrequest *request)
{
	struct uvc_request_data answer = { .length = -EL2HLT };
	unsigned int selector = request->wValue >> 8, unit = request->wIndex >> 8;
	struct control *control = control_of(unit, selector);

	set_control = NULL;
	set_streaming = 0;
	set_unit = 0;
	if ((request->bRequestType & USB_TYPE_MASK) == USB_TYPE_CLASS) {
		if ((request->wIndex & 0xff) == STREAMING_INTERFACE) {
			if (selector == UVC_VS_PROBE_CONTROL || selector == UVC_VS_COMMIT_CONTROL)
				answer_streaming(request, &answer);
		} else if (unit == 0 && selector == UVC_VC_REQUEST_ERROR_CODE_CONTROL) {
			answer.length = 1;
			answer.data[0] = 6;	/* invalid control: the only thing that is refused here */
		} else if (unit && unit == unit_id) {
			answer.length = answer_unit(selector, request->bRequest, answer.data, frames[0].width, frames[0].height);
		} else if (control) {
			answer_control(control, request->bRequest, &answer);
		}
	}
	ioctl(node, UVCIOC_SEND_RESPONSE, &answer);
}

static void data(const struct uvc_request_data *data)
{
	if (set_control && data->length >= set_control->size) {
		set_control->value = number(data->data, set_control->size);
		printf("set %s %d\n", set_control->name, set_control->value);
	} else if (set_unit) {
		take_unit(data->data, data->length);
	} else if (set_streaming && data->length >= (int)sizeof(struct uvc_streaming_control) - 8) {
		memset(&agreed, 0, sizeof(agreed));
		memcpy(&agreed, data->data, (size_t)data->length < sizeof(agreed) ? (size_t)data->length : sizeof(agreed));
		agree(&agreed);
	}
	set_control = NULL;
	set_streaming = 0;
}

static void take_event(void)
{
	struct v4l2_event event;
	struct uvc_event *uvc = (struct uvc_event *)&event.u.data;

	while (ioctl(node, VIDIOC_DQEVENT, &event) == 0) {
		switch (event.type) {
		case UVC_EVENT_SETUP:
			setup(&uvc->req);
			break;
		case UVC_EVENT_DATA:
			data(&uvc->data);
			break;
		case UVC_EVENT_STREAMON:
			start();
			break;
		case UVC_EVENT_STREAMOFF:
		case UVC_EVENT_DISCONNECT:
			stop();
			break;
		}
	}
}

static void take_signal(int number)
{
	no_signal = number == SIGUSR1;
}

/* Whether it was one. */
static int option(const char *word)
{
	if (!strncmp(word, "--refuse=", 9))
		refused = word + 9;
	else if (!strncmp(word, "--silent=", 9))
		silent = word + 9;
	else if (!strncmp(word, "--crumb=", 8))
		crumb_each = strtoul(word + 8, NULL, 10);
	else
		return 0;
	return 1;
}

int main(int count, char **words)
{
	static const unsigned int events[] = {
		UVC_EVENT_DISCONNECT, UVC_EVENT_STREAMON, UVC_EVENT_STREAMOFF, UVC_EVENT_DATA, UVC_EVENT_SETUP,
	};
	int i;

	if (count < 3) {
		fprintf(stderr, "usage: usb-camera NODE [OPTION...] FORMAT:WIDTHxHEIGHT[:INTERVAL,...]...\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 2; i < count; i++)
		if (!unit_option(words[i]) && !option(words[i]))
			add_frame(words[i]);
	signal(SIGUSR1, take_signal);
	signal(SIGUSR2, take_signal);
	agree(&agreed);
	node = open(words[1], O_RDWR | O_NONBLOCK);
	if (node < 0)
		fail(words[1]);
	/* With the subscription to SETUP the kernel pulls the bus up. */
	for (i = 0; i < (int)(sizeof(events) / sizeof(*events)); i++) {
		struct v4l2_event_subscription subscription = { .type = events[i] };

		if (ioctl(node, VIDIOC_SUBSCRIBE_EVENT, &subscription))
			fail("VIDIOC_SUBSCRIBE_EVENT");
	}
	for (;;) {
		struct pollfd ready = { .fd = node, .events = POLLPRI };

		if (poll(&ready, 1, streamed ? until_due() : -1) < 0 && errno != EINTR)
			fail("poll");
		if (ready.revents & POLLPRI)
			take_event();
		if (streamed && until_due() == 0)
			send_picture();
	}
}
