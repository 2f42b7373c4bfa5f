# Runs files of Redis' test suite against a server that somebody else has started, as the client of a test server:
#
#   tclsh driver.tcl --host 127.0.0.1 --port PORT --durable --client PORT_OF_THE_TEST_SERVER [--skiptest NAME]...
#
# in the folder of Redis' source. The suite itself is used as it is; what is changed here is said here.

set file [open tests/test_helper.tcl]
set text [read $file]
close $file
# All of the suite's procedures are defined before this one, and what follows it starts to work.
set work [string first "\nproc test_client_main " $text]
if {$work < 0} {
    error "tests/test_helper.tcl has no test_client_main"
}
eval [string range $text 0 $work]

# Each group of tests begins with FUNCTION FLUSH, and would not begin on a server without functions. On such a one the
# tests of scripts, all of which run both as scripts and as functions, run as scripts.
proc run_external_server_test {code overrides} \
    [string map {"r function flush" "catch {r function flush}"} [info body run_external_server_test]]
proc execute_test_file name {
    set ::curfile tests/$name.tcl
    set file [open $::curfile]
    set text [read $file]
    close $file
    set client [redis $::host $::port]
    # These files run only on servers that the suite starts itself, but the first group of tests in each would on any.
    if {$name in {unit/acl unit/acl-v2 unit/info unit/limits}} {
        regsub {external:skip} $text {} text
    }
    if {[catch {$client function list}]} {
        set text [string map [list "foreach is_eval {0 1}" "foreach is_eval 1"] $text]
    }
    $client close
    eval $text
    send_data_packet $::test_server_fd done $name
}

# A test that fails leaves its connections behind, some of them blocked, and the main one in any state. The tests after
# it are to be judged for themselves.
rename test test_of_suite
proc test {name code {okpattern undefined} {tags {}}} {
    set before [array names ::redis::fd]
    set failed $::num_failed
    uplevel 1 [list test_of_suite $name $code $okpattern $tags]
    if {$::num_failed > $failed} {
        set main [dict get [lindex $::servers end] client]
        foreach id [array names ::redis::fd] {
            if {$id ni $before && $main ne "::redis::redisHandle$id"} {
                catch {::redis::__method__close $id $::redis::fd($id)}
            }
        }
        catch {reconnect}
        catch {r script kill}
        catch {r function kill}
        catch {r client unpause}
        catch {r debug set-active-expire 1}
    }
}

# The suite sends requests over one connection without waiting for the reply, then over another, and takes it that they
# run in this order. One thread that serves all connections mostly does that; here the first gets a head start.
set ::unheard {}
rename ::redis::__dispatch__raw__ ::redis::dispatch_of_suite
proc ::redis::__dispatch__raw__ {id method argv} {
    if {$::unheard ne {} && $::unheard != $id} {
        after 3
        set ::unheard {}
    }
    set code [catch {::redis::dispatch_of_suite $id $method $argv} result options]
    if {[info exists ::redis::deferred($id)] && $::redis::deferred($id) &&
        [llength [info commands ::redis::__method__$method]] == 0} {
        set ::unheard $id
    }
    return -options $options $result
}

# A socket would otherwise write two bytes for each line's end, and the lengths that it sends would be wrong.
eval [string map {"$::test_server_fd -encoding binary" "$::test_server_fd -translation binary"} \
    [string range $text $work end]]
