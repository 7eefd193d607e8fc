/* Compression in the deflate format, by stored blocks only: valid, and as large as its input. */
#include "../include/shared.h"

#define BLOCK 65535u
#define FINISH 4
#define STREAM_END 1
#define BUFFER_ERROR (-5)

struct workspace {
	bool ended;
	u32 blocks;
};

int zlib_deflate_workspacesize(int window_bits, int memory_level)
{
	(void)window_bits;
	(void)memory_level;
	return sizeof(struct workspace);
}
EXPORT_SYMBOL(zlib_deflate_workspacesize);

int zlib_deflateReset(struct z_stream *stream)
{
	if (!stream || !stream->workspace)
		return -EINVAL;
	memset(stream->workspace, 0, sizeof(struct workspace));
	return 0;
}
EXPORT_SYMBOL(zlib_deflateReset);

int zlib_deflateInit2(struct z_stream *stream, int level, int window_bits, int memory_level)
{
	if (level < -1 || level > 9 || window_bits < 9 || window_bits > 15 || memory_level < 1)
		return -EINVAL;
	return zlib_deflateReset(stream);
}
EXPORT_SYMBOL(zlib_deflateInit2);

/* A stored block: one byte with the "last block" bit, its length, the length's complement. */
int zlib_deflate(struct z_stream *stream, int flush)
{
	struct workspace *work = stream->workspace;

	while (stream->avail_in || (flush == FINISH && !work->ended)) {
		u32 size = stream->avail_in < BLOCK ? stream->avail_in : BLOCK;
		bool last = flush == FINISH && size == stream->avail_in;

		if (stream->avail_out < size + 5)
			return BUFFER_ERROR;
		stream->next_out[0] = last;
		stream->next_out[1] = size & 255;
		stream->next_out[2] = size >> 8;
		stream->next_out[3] = ~size & 255;
		stream->next_out[4] = ~size >> 8 & 255;
		memcpy(stream->next_out + 5, stream->next_in, size);
		stream->next_out += size + 5;
		stream->avail_out -= size + 5;
		stream->next_in += size;
		stream->avail_in -= size;
		work->ended = last;
		work->blocks++;
	}
	return work->ended ? STREAM_END : 0;
}
EXPORT_SYMBOL(zlib_deflate);

int zlib_deflateEnd(struct z_stream *stream)
{
	struct workspace *work = stream->workspace;

	return work->ended ? 0 : -EBUSY;
}
EXPORT_SYMBOL(zlib_deflateEnd);

/* Neither init nor exit: there is nothing to set up, and the module can be removed all the same. */
MODULE_DESCRIPTION("Deflate compression library (teaching kernel)");
MODULE_LICENSE("GPL");
